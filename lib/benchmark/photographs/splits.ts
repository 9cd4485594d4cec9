/**
 * Which sub-categories are seen in training and which are not. The first rule that applies decides:
 *
 * - `released`: the truths of `<set>_seen.jsonl` and of `<set>_unseen.jsonl` (aircraft, pet);
 * - `complement`: one of the two files is here, and the other side is the rest (car, flower);
 * - `stage-1`: the sub-categories of the released Stage-1 records are seen, since Stage 1 trains on seen ones only; the
 *   rest of the seen side is drawn with seed 0 from the others, up to the paper's count (bird: 86 known of 120; dog: 70
 *   of 72);
 * - `file`: a split file of a folder set says it;
 * - `seeded`: 60 % are drawn with seed 0, from each super-category its share.
 *
 * Under `stage-1` the sides have the paper's number of sub-categories, but not exactly its members or test images. One
 * of the six sets may be here in part: then released names that it lacks are left out, and the rule says of how many it
 * is.
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
  /**
   * The rule that held: `released`, `complement`, `stage-1`, `file` or `seeded`; of a part of a set also how much of it
   * is here.
   */
  source: string;
}

/** Share of seen sub-categories, rounded down: it gives the paper's count in each of the six sets. */
export const SEEN_SHARE = 0.6;
const SPLIT_SEED = 0;

/** The released Stage-1 file, absolute. */
export function stage1File(): string {
  return path.join(repositoryRoot(), "data/released/stage1/Fine-R1-Stage1-data.json");
}

/**
 * Sub-categories of the released Stage-1 records, from the class folders in their image paths (bird and dog have them).
 */
export function stage1Subcategories(name: "bird" | "dog", file = stage1File()): string[] {
  const pattern = name === "bird" ? /^bird_200\/.*\/\d{3}\.([^/]+)\/[^/]+$/ : /^dogs_120\/.*\/n\d{8}-([^/]+)\/[^/]+$/;
  return [...new Set(readSharegpt(file).flatMap(({ image }) => (pattern.exec(image)?.slice(1) ?? []).map(titleCase)))];
}

/**
 * How many of `total` seen names each super-category gets: its share, the largest remainders rounded up, none left
 * without an unseen one.
 */
function shares(sizes: readonly number[], total: number): number[] {
  const all = sizes.reduce((sum, n) => sum + n, 0);
  const quota = sizes.map((n) => (n * total) / all);
  const counts = quota.map((share, i) => Math.min(Math.max(Math.floor(share), 1), Math.max(sizes[i] - 1, 1)));
  const byRemainder = quota
    .map((share, i) => ({ i, rest: share - Math.floor(share) }))
    .sort((a, b) => b.rest - a.rest || a.i - b.i);
  for (const { i } of byRemainder)
    if (counts.reduce((sum, n) => sum + n, 0) < total && counts[i] < sizes[i] - 1) counts[i]++;
  return counts;
}

/** Options of `seededSplit`. */
interface SeededOptions {
  /** Seen whatever is drawn. */
  known?: readonly string[];
  seed?: number;
  /** How many are seen; 60 %, rounded down, unless given. */
  seen?: number;
}

/**
 * Draws the seen side of any set: 60 %, `known` first and the others by a seed that depends on the set's name. The
 * order of the names decides nothing.
 */
export function seededSplit(setName: string, names: readonly string[], options: SeededOptions = {}): SubcategorySplit {
  const { known = [], seed = SPLIT_SEED, seen: count = Math.max(Math.floor(SEEN_SHARE * names.length), 1) } = options;
  const foreign = known.find((name) => !names.includes(name));
  if (foreign !== undefined)
    throw new Error(`set ${setName}: "${foreign}" is known as seen, but is no sub-category of the set`);
  if (known.length > count)
    throw new Error(`set ${setName}: ${known.length} sub-categories are known as seen, more than ${count}`);
  const rest = names.filter((name) => !known.includes(name)).sort();
  const drawn = random(foldIn(seed, "seen", setName))
    .shuffle(rest)
    .slice(0, count - known.length);
  return sides(names, new Set([...known, ...drawn]), known.length > 0 ? "stage-1" : "seeded");
}

const sides = (names: readonly string[], seen: ReadonlySet<string>, source: string): SubcategorySplit => ({
  seen: names.filter((name) => seen.has(name)),
  unseen: names.filter((name) => !seen.has(name)),
  source,
});

/**
 * `seededSplit` of a set, from each of its super-categories its share: closed questions need unseen ones of the same.
 */
function seededSides({ name, names, groups }: ImageSet): SubcategorySplit {
  const of = new Map<string, string[]>();
  for (const one of names) {
    const domain = groups?.get(one)?.domain ?? "";
    of.set(domain, [...(of.get(domain) ?? []), one]);
  }
  const domains = [...of.keys()].sort();
  const sizes = domains.map((domain) => of.get(domain)!.length);
  if (domains.length < 2 || Math.max(...sizes) < 2) return seededSplit(name, names); // else no side could be left for one
  const counts = shares(sizes, Math.floor(SEEN_SHARE * names.length));
  const seen = domains.flatMap(
    (domain, i) => seededSplit(`${name}/${domain}`, of.get(domain)!, { seen: counts[i] }).seen,
  );
  return sides(names, new Set(seen), "seeded");
}

/** The released truths of a side, and all names that its rows have, options too; null without a file. */
function releasedSide(name: SetName, split: "seen" | "unseen") {
  const file = releasedFile(name, split);
  if (!existsSync(file)) return null;
  const { rows } = readReleased(file);
  return {
    file,
    truths: new Set(rows.map((row) => row.ground_truth)),
    known: new Set(rows.flatMap((row) => row.options)),
  };
}

type ReleasedSide = NonNullable<ReturnType<typeof releasedSide>>;

/** @throws Error where a class is on both sides or on neither */
function splitByBoth(set: ImageSet, seen: ReleasedSide, unseen: ReleasedSide): SubcategorySplit {
  for (const one of set.names)
    if (seen.truths.has(one) === unseen.truths.has(one))
      throw new Error(
        `set ${set.name}: "${one}" is ${seen.truths.has(one) ? "on both sides" : "on neither side"} of the released files`,
      );
  return sides(set.names, seen.truths, "released");
}

/**
 * The other side is the rest, but a name that no released row has can be no more than the published names that none
 * has.
 * @throws Error naming such a class where there are more
 */
function splitByOne(set: ImageSet & { name: SetName }, is: "seen" | "unseen", side: ReleasedSide): SubcategorySplit {
  const unknown = set.names.filter((one) => !side.known.has(one));
  if (unknown.length > SETS[set.name].subcategories - side.known.size)
    throw new Error(
      `set ${set.name}: "${unknown[0]}" is on neither side of the released files: no row of ${side.file} has it as truth or option`,
    );
  const seen = is === "seen" ? side.truths : new Set(set.names.filter((one) => !side.truths.has(one)));
  return sides(set.names, seen, "complement");
}

/** No released rows: what Stage 1 trains on is seen. */
function splitByStage1({ name, names }: ImageSet & { name: SetName }, whole: boolean): SubcategorySplit {
  const released = name === "bird" || name === "dog" ? stage1Subcategories(name) : [];
  if (whole) return seededSplit(name, names, { known: released, seen: SETS[name].paper.seen });
  const known = released.filter((one) => names.includes(one));
  return seededSplit(name, names, { known, seen: Math.max(Math.floor(SEEN_SHARE * names.length), known.length, 1) });
}

function splitReleased(set: ImageSet & { name: SetName }): SubcategorySplit {
  const { name, names } = set;
  const published = SETS[name].subcategories;
  const whole = names.length >= published;
  const [seen, unseen] = [releasedSide(name, "seen"), releasedSide(name, "unseen")];
  for (const side of [seen, unseen]) {
    const lost = whole && side ? [...side.truths].find((truth) => !names.includes(truth)) : undefined;
    if (lost !== undefined)
      throw new Error(
        `${side!.file}: "${lost}" is no sub-category of the set ${name}; are its annotation files whole?`,
      );
  }
  const split = (): SubcategorySplit => {
    if (seen && unseen) return splitByBoth(set, seen, unseen);
    if (seen) return splitByOne(set, "seen", seen);
    if (unseen) return splitByOne(set, "unseen", unseen);
    return splitByStage1(set, whole);
  };
  const { source, ...both } = split();
  return { ...both, source: whole ? source : `${source} (${names.length} of ${published} published sub-categories)` };
}

/**
 * The division of any set.
 * @throws Error where the released files or the split file and the set disagree, naming file or class
 */
export function splitOf(set: ImageSet): SubcategorySplit {
  const { name } = set;
  if (isSetName(name)) return splitReleased({ ...set, name });
  return set.seen ? sides(set.names, new Set(set.seen), "file") : seededSides(set);
}
