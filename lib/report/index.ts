/** Reports: tables and figures. */
export * from "./figures";
export * from "./static-figures";
export { repositoryRoot } from "../util/root";
export * from "./tables";
