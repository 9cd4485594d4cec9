/** The released rows as questions on an image set's test portion. */
import { orderOptions, type OptionOrder, type ReleasedRow } from "./released";
import type { ImageSet, SetImage } from "./types";

/** A question in the fields of the prediction files. */
export interface SetRow {
  image_path: string;
  question: string;
  /** Absent in the open world. */
  options?: string[];
  ground_truth: string;
  /** The set's name. */
  domain: string;
  split: "seen" | "unseen";
  setting: "closed" | "open";
}

/** The released rows as questions, their options shuffled by a seed per row unless the order is `released`. */
export function releasedQuestions(
  rows: readonly ReleasedRow[],
  of: { domain: string; split: "seen" | "unseen"; setting: "closed" | "open"; order?: OptionOrder; seed?: number },
): SetRow[] {
  const { domain, split, setting, order = "shuffled", seed = 0 } = of;
  return orderOptions(rows, order, seed).map(({ options, ...row }) => ({
    ...row,
    ...(setting === "closed" ? { options } : {}),
    domain,
    split,
    setting,
  }));
}

/**
 * Finds the image of every released row in the set's test portion, by file name.
 * @returns the images in the order of the rows, null where the set has none, with the rows whose sub-category is
 * another one there
 */
export function linkReleased(
  set: ImageSet,
  rows: readonly ReleasedRow[],
): { images: (SetImage | null)[]; disagree: ReleasedRow[] } {
  const last = (file: string): string => file.slice(file.lastIndexOf("/") + 1);
  const tests = new Map(
    set.images.filter((image) => image.portion === "test").map((image) => [last(image.path), image]),
  );
  const images = rows.map((row) => tests.get(last(row.image_path)) ?? null);
  return { images, disagree: rows.filter((row, i) => images[i] !== null && images[i]!.name !== row.ground_truth) };
}
