/** The records of every photographic image set. */

import type { BadRow } from "../../util/lines";

/** The publisher's own division. */
export type Portion = "train" | "validation" | "test";

export const PORTIONS: readonly Portion[] = ["train", "validation", "test"];

/** One image. */
export interface SetImage {
  /** Relative to the set's root, `/` as separator; unique in its set, and never out of the root. */
  readonly path: string;
  /** The sub-category's name, as the released files spell it where they do. */
  readonly name: string;
  readonly portion: Portion;
}

/** An image set as its annotation files describe it; whether the images are there is `checkImageSet`'s question. */
export interface ImageSet {
  readonly name: string;
  /** Absolute. */
  readonly root: string;
  /** Sub-categories in the publisher's order; folder-per-class sets in alphabetical order. */
  readonly names: readonly string[];
  readonly images: readonly SetImage[];
  groups?: ReadonlyMap<string, { domain: string; kin?: string }>;
  seen?: readonly string[];
  /** Rows of the annotation files that could not be read; empty where bad rows stop the reading. */
  readonly skipped: readonly BadRow[];
}
