/** Evaluation: scores, intervals, comparisons and the results table, from saved predictions alone. */
export * from "./accuracy-by";
export * from "./compare";
export { confusionPairs, type ConfusionPair } from "./confusions";
export * from "./crossed";
export * from "./intervals";
export * from "./overview";
export { differenceOf, pairSeeds, type PairedSeeds } from "./paired-seeds";
export * from "./positions";
export * from "./results";
export * from "./rows";
export * from "./score";
export * from "./seeds";
export * from "./summary";
