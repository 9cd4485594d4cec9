/** Reports: tables and figures. */
export * from "./figures";
export * from "./static-figures";
export { repositoryRoot } from "./static-figures-kaleido";
export * from "./tables";
