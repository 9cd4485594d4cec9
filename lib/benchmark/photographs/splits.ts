/**
 * Which sub-categories are seen in training and which are not. The released files decide wherever they can:
 *
 * - `released`: the truths of `<set>_seen.jsonl` and of `<set>_unseen.jsonl` (aircraft, pet);
 * - `complement`: one of the two files is here, and the other side is the rest (car, flower);
 * - `stage-1`: the sub-categories of the released Stage-1 records are seen, since Stage 1 trains on seen ones only; the rest
 *   of the seen side is drawn with seed 0 from the others, up to the paper's count (bird: 86 known of 120; dog: 70 of 72).
 *
 * Under `stage-1` the sides have the paper's number of sub-categories, but not exactly its members or test images.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { foldIn, random } from "../../util/random";
import { repositoryRoot } from "../../util/root";
import { readSharegpt } from "../../formats/sharegpt";
import { SETS } from "./catalog";
import { titleCase } from "./paths";
import { readReleased, releasedFile } from "./released";
import { isSetName, type SetName } from "../../formats/set-names";
import type { ImageSet } from "./types";

/** The two sides, each in the order of the set's names. */
export interface SubcategorySplit {
  seen: string[];
  unseen: string[];
  source: "released" | "complement" | "stage-1" | "seeded";
}

/** Share of seen sub-categories, rounded down: it gives the paper's count in each of the six sets. */
export const SEEN_SHARE = 0.6;
const SPLIT_SEED = 0;

/** The released Stage-1 file, absolute. */
export function stage1File(): string {
  return path.join(repositoryRoot(), "data/released/stage1/Fine-R1-Stage1-data.json");
}

/** Sub-categories of the released Stage-1 records, from the class folders in their image paths (bird and dog have them). */
export function stage1Subcategories(name: "bird" | "dog", file = stage1File()): string[] {
  const pattern = name === "bird" ? /^bird_200\/.*\/\d{3}\.([^/]+)\/[^/]+$/ : /^dogs_120\/.*\/n\d{8}-([^/]+)\/[^/]+$/;
  return [...new Set(readSharegpt(file).flatMap(({ image }) => (pattern.exec(image)?.slice(1) ?? []).map(titleCase)))];
}

/** Draws the seen side of any set: 60 %, `known` first and the others by a seed that depends on the set's name. */
export function seededSplit(
  setName: string,
  names: readonly string[],
  options: { known?: readonly string[]; seed?: number; seen?: number } = {},
): SubcategorySplit {
  const { known = [], seed = SPLIT_SEED, seen: count = Math.floor(SEEN_SHARE * names.length) } = options;
  const foreign = known.find((name) => !names.includes(name));
  if (foreign !== undefined)
    throw new Error(`set ${setName}: "${foreign}" is known as seen, but is no sub-category of the set`);
  if (known.length > count)
    throw new Error(`set ${setName}: ${known.length} sub-categories are known as seen, more than ${count}`);
  const rest = names.filter((name) => !known.includes(name)).sort();
  const seen = new Set([
    ...known,
    ...random(foldIn(seed, "seen", setName))
      .shuffle(rest)
      .slice(0, count - known.length),
  ]);
  return {
    seen: names.filter((name) => seen.has(name)),
    unseen: names.filter((name) => !seen.has(name)),
    source: known.length > 0 ? "stage-1" : "seeded",
  };
}

/**
 * The division of one of the six sets.
 * @param names the set's sub-categories, as its reader gives them
 * @throws Error where a released name is no sub-category of the set, or a sub-category is on neither or both sides
 */
export function splitSubcategories(name: SetName, names: readonly string[]): SubcategorySplit {
  const side = (split: "seen" | "unseen"): Set<string> | null => {
    const file = releasedFile(name, split);
    if (!existsSync(file)) return null;
    const truths = new Set(readReleased(file).rows.map((row) => row.ground_truth));
    for (const truth of truths)
      if (!names.includes(truth))
        throw new Error(`${file}: "${truth}" is no sub-category of the set ${name}; are its annotation files whole?`);
    return truths;
  };
  const [seen, unseen] = [side("seen"), side("unseen")];
  if (seen === null && unseen === null)
    return seededSplit(name, names, {
      known: name === "bird" || name === "dog" ? stage1Subcategories(name) : [],
      seen: SETS[name].paper.seen,
    });
  const isSeen = (one: string): boolean => (seen ? seen.has(one) : !unseen!.has(one));
  if (seen && unseen) {
    for (const one of names) {
      if (seen.has(one) === unseen.has(one))
        throw new Error(
          `set ${name}: "${one}" is ${seen.has(one) ? "on both sides" : "on neither side"} of the released files`,
        );
    }
  }
  return {
    seen: names.filter(isSeen),
    unseen: names.filter((one) => !isSeen(one)),
    source: seen && unseen ? "released" : "complement",
  };
}

export function splitOf(set: ImageSet): SubcategorySplit {
  return isSetName(set.name) ? splitSubcategories(set.name, set.names) : seededSplit(set.name, set.names);
}
