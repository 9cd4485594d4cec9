/** Rewards: text in, numbers out. */
export * from "./accuracy";
export * from "./format";
export * from "./listing";
export * from "./reward";
export * from "./tags";
