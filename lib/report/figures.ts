/** Every figure, as pure functions from tables to plotly figure objects. */
export * from "./figures-accuracy";
export * from "./figures-curves";
export { type Figure, methodStyle } from "./figures-theme";
