/** What of an image set is on disk: missing and unreadable images, counts against the published ones, duplicates. */
import { createHash } from "node:crypto";
import { decodeImage, readImageHeader, reasonOf } from "../../processor/image-decode";
import { existsSync, statSync } from "node:fs";
import { isPublishedName, isSetName, type SetName } from "../../formats/set-names";
import { factsOf, SETS, whereToGet, type PublishedFacts } from "./catalog";
import type { BadRow, OnBadRow } from "../../util/lines";
import { forEachAtOnce } from "../../util/parallel";
import { readRegular } from "../../util/regular-file";
import { readAnySet } from "./open";
import { resolveImage } from "./paths";
import { linkReleased } from "./questions";
import { readImageSet } from "./read";
import { readReleased, releasedFile } from "./released";
import { splitOf, type SubcategorySplit } from "./splits";
import { PORTIONS, type ImageSet, type Portion } from "./types";

/**
 * Counts of one portion: images that are there, that the annotation files list, and that the publisher states (null:
 * not a published set).
 */
export interface PortionCount {
  found: number;
  listed: number;
  published: number | null;
}

/** An image that cannot be used, and why. */
export interface BadImage {
  path: string;
  reason: string;
}

/** One side of the split, against the paper's table and the released rows. */
export interface SideReport {
  subcategories: number;
  testImages: number;
  paperSubcategories: number;
  paperTestImages: number;
  /**
   * Released rows, how many of their images the set lacks, and how many it has under another name; null without a file.
   */
  released: { rows: number; missing: number; disagree: number } | null;
}

/**
 * The report of one set. Files of one entry of `duplicates` have the same bytes; `leaks` are those with a training and
 * a test image.
 */
export interface SetReport {
  set: string;
  title: string;
  root: string;
  /** Where to get it: null where it is no published set. */
  source: Pick<PublishedFacts, "publisher" | "page" | "url" | "unpack" | "how"> | null;
  status: "absent" | "broken" | "incomplete" | "whole";
  /** Why the annotation files cannot be read; of an absent set how to get it, where its page alone is not enough. */
  problem: string | null;
  /** Rows of them that were skipped. */
  badRows: readonly BadRow[];
  subcategories: { listed: number; published: number | null };
  portions: Record<Portion, PortionCount>;
  missing: string[];
  unreadable: BadImage[];
  duplicates: string[][];
  leaks: string[][];
  /** How many sub-categories are seen and unseen, and which rule says so; null where the set cannot be read. */
  division: { source: string; seen: number; unseen: number } | null;
  /** Of the paper's six sets: the same against the paper's table. */
  split: { source: string; seen: SideReport; unseen: SideReport } | null;
}

const emptyPortions = (): Record<Portion, PortionCount> => ({
  train: { found: 0, listed: 0, published: null },
  validation: { found: 0, listed: 0, published: null },
  test: { found: 0, listed: 0, published: null },
});

/** How many images are looked at together. */
const AT_ONCE = 4;

/** Why a file is no image; null where it is one. Its header says so, or (`decode`) every pixel of it. */
export async function imageProblem(file: string, decode: boolean): Promise<string | null> {
  try {
    const { width, height } = await readImageHeader(file);
    if (!(width > 0 && height > 0)) return "no width or height";
  } catch (error) {
    return reasonOf(error);
  }
  try {
    if (decode) await decodeImage(file);
    return null;
  } catch (error) {
    return `cut off or damaged (${reasonOf(error)})`; // the library's words may be lost to another image's
  }
}

/** Looks at every image; the set's order is kept. */
async function inspect(
  set: ImageSet,
  decode: boolean,
): Promise<{ files: (string | null)[]; missing: string[]; unreadable: BadImage[] }> {
  const files: (string | null)[] = set.images.map(() => null);
  const reasons: (string | null)[] = set.images.map(() => null);
  await forEachAtOnce(set.images, AT_ONCE, async (image, i) => {
    try {
      files[i] = resolveImage(set.root, image.path);
    } catch (error) {
      reasons[i] = (error as Error).message;
      return;
    }
    if (files[i] !== null) reasons[i] = await imageProblem(files[i]!, decode);
  });
  const at = set.images.map((image) => image.path);
  return {
    files,
    missing: at.filter((_, i) => files[i] === null && reasons[i] === null),
    unreadable: at.flatMap((path, i) => {
      const reason = reasons[i];
      return reason === null ? [] : [{ path, reason }];
    }),
  };
}

/** Groups of images with the same bytes; only files of equal size are read. */
function findDuplicates(
  set: ImageSet,
  files: readonly (string | null)[],
): { duplicates: string[][]; leaks: string[][] } {
  const bySize = new Map<number, number[]>();
  files.forEach((file, i) => {
    if (file === null) return;
    const found = statSync(file);
    if (!found.isFile()) return; // a pipe or a device: told among the unreadable ones
    const { size } = found;
    bySize.set(size, [...(bySize.get(size) ?? []), i]);
  });
  const groups: number[][] = [];
  for (const same of bySize.values()) {
    if (same.length < 2) continue;
    const byHash = new Map<string, number[]>();
    for (const i of same) {
      const hash = createHash("sha256").update(readRegular(files[i]!)).digest("hex");
      byHash.set(hash, [...(byHash.get(hash) ?? []), i]);
    }
    groups.push(...[...byHash.values()].filter((group) => group.length > 1));
  }
  groups.sort((a, b) => a[0] - b[0]);
  const has = (group: number[], test: boolean): boolean =>
    group.some((i) => (set.images[i].portion === "test") === test);
  const duplicates = groups.map((group) => group.map((i) => set.images[i].path));
  return { duplicates, leaks: duplicates.filter((_, i) => has(groups[i], true) && has(groups[i], false)) }; // the same lists
}

/** The two sides of one of the six sets, against the paper and the released rows. */
function splitReport(set: ImageSet, name: SetName, split: SubcategorySplit): SetReport["split"] {
  const { paper } = SETS[name];
  const side = (of: "seen" | "unseen"): SideReport => {
    const members = new Set(split[of]);
    const file = releasedFile(name, of);
    let released: SideReport["released"] = null;
    if (existsSync(file)) {
      const { rows } = readReleased(file);
      const { images, disagree } = linkReleased(set, rows);
      released = {
        rows: rows.length,
        missing: images.filter((image) => image === null).length,
        disagree: disagree.length,
      };
    }
    return {
      subcategories: split[of].length,
      testImages: set.images.filter((image) => image.portion === "test" && members.has(image.name)).length,
      paperSubcategories: of === "seen" ? paper.seen : paper.unseen,
      paperTestImages: of === "seen" ? paper.seenImages : paper.unseenImages,
      released,
    };
  };
  return { source: split.source, seen: side("seen"), unseen: side("unseen") };
}

/** A report with nothing found yet. */
function emptyReport(name: string, root: string): SetReport {
  const portions = emptyPortions();
  return {
    set: name,
    title: name,
    root,
    source: null,
    status: "absent",
    problem: null,
    badRows: [],
    subcategories: { listed: 0, published: null },
    portions,
    missing: [],
    unreadable: [],
    duplicates: [],
    leaks: [],
    division: null,
    split: null,
  };
}

/** Puts what is published about a set into its report. */
function addFacts(report: SetReport, { title, subcategories, published, ...facts }: PublishedFacts): void {
  const { publisher, page, url, unpack, how } = facts;
  report.title = title;
  report.source = { publisher, page, url, unpack, how };
  report.subcategories.published = subcategories;
  for (const portion of PORTIONS) report.portions[portion].published = published[portion];
}

/**
 * Checks an image set: a published one by its name, any other folder by its layout, or as a folder per class. Nothing
 * is thrown for what is wrong with the set: it is in the report.
 * @param root the set's folder
 * @param options.decode reads every image to its last pixel; its header alone unless given
 * @param options.onBadRow `stop` (default): a bad row of an annotation file makes the set broken; `skip`: it is left
 * out and listed
 */
export async function checkImageSet(
  name: string,
  root: string,
  options: { decode?: boolean; onBadRow?: OnBadRow } = {},
): Promise<SetReport> {
  const report = emptyReport(name, root);
  const { portions } = report;
  if (isPublishedName(name)) addFacts(report, factsOf(name));
  if (!existsSync(root)) {
    if (isPublishedName(name) && factsOf(name).how !== null) report.problem = whereToGet(name);
    return report;
  }
  let set: ImageSet;
  try {
    set = isPublishedName(name) ? readImageSet(name, root, options.onBadRow) : readAnySet(root, options.onBadRow, name);
    if (!isPublishedName(name) && isPublishedName(set.name)) addFacts(report, factsOf(set.name));
    report.badRows = set.skipped;
    const split = splitOf(set);
    report.division = { source: split.source, seen: split.seen.length, unseen: split.unseen.length };
    report.split = isSetName(set.name) ? splitReport(set, set.name, split) : null;
  } catch (error) {
    return { ...report, status: "broken", problem: (error as Error).message };
  }
  const { files, missing, unreadable } = await inspect(set, options.decode ?? false);
  const bad = new Set(unreadable.map(({ path }) => path));
  set.images.forEach((image, i) => {
    portions[image.portion].listed++;
    if (files[i] !== null && !bad.has(image.path)) portions[image.portion].found++;
  });
  report.subcategories.listed = set.names.length;
  Object.assign(report, {
    missing,
    unreadable,
    ...findDuplicates(
      set,
      files.map((file, i) => (bad.has(set.images[i].path) ? null : file)),
    ),
  });
  const {
    badRows,
    subcategories: { published },
  } = report;
  const asPublished =
    (published === null || published === set.names.length) &&
    PORTIONS.every((portion) => (portions[portion].published ?? portions[portion].listed) === portions[portion].listed);
  report.status = badRows.length + missing.length + unreadable.length === 0 && asPublished ? "whole" : "incomplete";
  return report;
}
