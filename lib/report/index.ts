/** Reports: tables and figures. */
export * from "./figures";
export * from "./static-figures";
export { repositoryRoot } from "../engine/root";
export * from "./tables";
