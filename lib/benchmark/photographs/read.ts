/** Reads the annotations of the sets that have a published layout of their own. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import type { PublishedName } from "../../formats/set-names";
import type { OnBadRow } from "../../util/lines";
import { readAircraft } from "./aircraft";
import { readBird } from "./bird";
import { readCar } from "./car";
import { factsOf, setsFolder, whereToGet } from "./catalog";
import { readDog } from "./dog";
import { readFlower } from "./flower";
import { readGrocery } from "./grocery";
import { readPet } from "./pet";
import { rowReader, type RowReader } from "./row-reader";
import type { ImageSet } from "./types";

const READERS: Readonly<Record<PublishedName, (root: string, rows: RowReader) => ImageSet>> = {
  aircraft: readAircraft,
  bird: readBird,
  car: readCar,
  dog: readDog,
  flower: readFlower,
  pet: readPet,
  grocery: readGrocery,
};

/**
 * Reads the annotations of one of the published sets.
 * @param root its folder, or one that holds it; `data/sets/<name>` unless given
 * @param onBadRow `stop` (default) throws at the first bad row of an annotation file; `skip` leaves it out and lists it
 * in `skipped`
 * @throws Error where the folder is missing (with where to get the set), or naming file and line
 */
export function readImageSet(
  name: PublishedName,
  root = path.join(setsFolder(), name),
  onBadRow: OnBadRow = "stop",
): ImageSet {
  if (!existsSync(root)) throw new Error(`${factsOf(name).title} is not at ${root}; ${whereToGet(name)}`);
  return READERS[name](path.resolve(root), rowReader(onBadRow));
}
