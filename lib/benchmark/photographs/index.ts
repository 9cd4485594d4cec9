/** Photographic image sets in their published layouts, as one kind of record. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { readAircraft } from "./aircraft";
import { readBird } from "./bird";
import { readCar } from "./car";
import { setsFolder, SETS } from "./catalog";
import { readDog } from "./dog";
import { readFlower } from "./flower";
import { readPet } from "./pet";
import type { OnBadRow } from "../../util/lines";
import { rowReader, type RowReader } from "./row-reader";
import type { SetName } from "../../formats/set-names";
import type { ImageSet } from "./types";

const READERS: Readonly<Record<SetName, (root: string, rows: RowReader) => ImageSet>> = {
  aircraft: readAircraft,
  bird: readBird,
  car: readCar,
  dog: readDog,
  flower: readFlower,
  pet: readPet,
};

export { isSetName } from "../../formats/set-names";
import { isSetName } from "../../formats/set-names";
import { readFolders as rf } from "./folders";
export function openImageSet(name: string, o: { setsFolder?: string; onBadRow?: OnBadRow } = {}): ImageSet {
  return isSetName(name) ? readImageSet(name, path.join(o.setsFolder ?? setsFolder(), name), o.onBadRow) : rf(name);
}

/**
 * Reads the annotations of one of the six sets.
 * @param root its folder; `data/sets/<name>` unless given
 * @param onBadRow `stop` (default) throws at the first bad row of an annotation file; `skip` leaves it out and lists it in `skipped`
 * @throws Error where the folder is missing (with where to get the set), or naming file and line
 */
export function readImageSet(
  name: SetName,
  root = path.join(setsFolder(), name),
  onBadRow: OnBadRow = "stop",
): ImageSet {
  const { title, publisher, page, url } = SETS[name];
  if (!existsSync(root)) throw new Error(`${title} is not at ${root}; get it from ${publisher}, "${page}" (${url})`);
  return READERS[name](path.resolve(root), rowReader(onBadRow));
}

export { releasedVariant } from "./aircraft";
export { SETS, setsFolder, type SetFacts } from "./catalog";
export { FLOWER_NAMES } from "./flower-names";
export { readFolders, type FolderOptions } from "./folders";
export { checkedPath, resolveImage, titleCase } from "./paths";
export type { BadRow, OnBadRow } from "../../util/lines";
export { SET_NAMES, type SetName } from "../../formats/set-names";
export { PORTIONS, type ImageSet, type Portion, type SetImage } from "./types";
export {
  closedWorldOptions,
  linkReleased,
  nameSimilarity,
  questionRows,
  rankNames,
  releasedQuestions,
  SET_QUESTIONS,
  type QuestionRequest,
  type SetRow,
  type Similarity,
} from "./questions";
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
export { assertDisjoint, fewShots } from "./shots";
export {
  SEEN_SHARE,
  seededSplit,
  splitSubcategories,
  stage1File,
  stage1Subcategories,
  type SubcategorySplit,
} from "./splits";
export { embeddingSimilarity, photoTriplets, tripletRows, type Embedder, type PhotoTriplet } from "./triplets";
