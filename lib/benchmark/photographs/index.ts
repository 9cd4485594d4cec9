/** Photographic image sets in their published layouts, as one kind of record. */
export { releasedVariant } from "./aircraft";
export {
  factsOf,
  SET_QUESTIONS,
  setDescription,
  SETS,
  setsFolder,
  whereToGet,
  type PublishedFacts,
  type SetDescription,
  type SetFacts,
} from "./catalog";
export { FLOWER_NAMES } from "./flower-names";
export { readFolders, type FolderOptions } from "./folders";
export { detectSet } from "./layouts";
export { openImageSet, readAnySet } from "./open";
export { checkedPath, resolveImage, titleCase } from "./paths";
export { readImageSet } from "./read";
export type { BadRow, OnBadRow } from "../../util/lines";
export {
  isPublishedName,
  isSetName,
  PUBLISHED_NAMES,
  SET_NAMES,
  type PublishedName,
  type SetName,
} from "../../formats/set-names";
export { PORTIONS, type Group, type ImageSet, type Portion, type SetImage } from "./types";
export { linkReleased, releasedQuestions, type SetRow } from "./questions";
export {
  namesContain,
  orderOptions,
  readReleased,
  releasedFile,
  summariseReleased,
  type OptionOrder,
  type ReleasedFile,
  type ReleasedRow,
  type ReleasedSummary,
} from "./released";
export { assertDisjoint, devImages, fewShots } from "./shots";
export { SEEN_SHARE, seededSplit, splitOf, stage1File, stage1Subcategories, type SubcategorySplit } from "./splits";
