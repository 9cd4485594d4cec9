/**
 * Emoji-FGVR: several designers' drawings of the same emoji as a fine-grained benchmark. `data/emoji-fgvr/README.md`
 * is the data card.
 */
export { EmojiFgvr, loadEmojiFgvr, type Subcategory } from "./benchmark";
export { ensureDrawings } from "./cache";
export { loadImage, loadImages } from "./image";
export { COLOR_WORDS, SHAPE_WORDS, foreground, measure, type Measurement, type Subject } from "./measure";
export { IMAGE_SIZE } from "./render";
export { closedOptions, domainQuestion, type EvaluationRequest } from "./rows";
export { colorOverlap, jaccard, similarity } from "./similarity";
export type {
  Concept,
  DesignerRole,
  Domain,
  Drawing,
  EmojiTriplet,
  EvaluationRow,
  FewShotExample,
  RgbImage,
  Style,
  StyleInfo,
} from "./types";
