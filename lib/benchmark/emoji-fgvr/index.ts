/**
 * Emoji-FGVR: several designers' drawings of the same emoji as a fine-grained benchmark. `data/emoji-fgvr/README.md`
 * is the data card.
 */
export { EmojiFgvr, loadEmojiFgvr, type Subcategory } from "./benchmark";
export { ensureDrawings } from "./cache";
export { loadImage, loadImages } from "./image";
export { COLOR_WORDS, SHAPE_WORDS, foreground, measure, type Measurement, type Subject } from "./measure";
export { IMAGE_SIZE } from "./render";
export { domainQuestion } from "./domain-question";
export { emojiBenchmark } from "./as-benchmark";
export { colorOverlap, jaccard, similarity } from "./similarity";
export type { Concept, DesignerRole, Domain, Drawing, RgbImage, Style, StyleInfo } from "./types";
