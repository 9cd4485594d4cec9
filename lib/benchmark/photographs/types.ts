/** The records of every photographic image set. */

import type { BadRow } from "../../util/lines";

/** The publisher's own division. */
export type Portion = "train" | "validation" | "test";

export const PORTIONS: readonly Portion[] = ["train", "validation", "test"];

/** One image. */
export interface SetImage {
  /** Relative to the set's root, `/` as separator; unique in its set, and never out of the root. */
  readonly path: string;
  /** The sub-category's name, as the released files spell it where they do, in Unicode NFC. */
  readonly name: string;
  readonly portion: Portion;
}

/** What a sub-category belongs to. */
export interface Group {
  /** Its super-category: the options of a closed question come from one. */
  readonly domain: string;
  /** A finer coarse class within the domain; its members are nearest to one another. */
  readonly kin?: string;
}

/** An image set as its annotation files describe it; whether the images are there is `checkImageSet`'s question. */
export interface ImageSet {
  readonly name: string;
  /** Absolute. */
  readonly root: string;
  /** Sub-categories in the publisher's order; folder-per-class sets in alphabetical order. */
  readonly names: readonly string[];
  readonly images: readonly SetImage[];
  /**
   * One entry a name, of sets that have super-categories; absent where the set is one domain, as each of the six is.
   */
  readonly groups?: ReadonlyMap<string, Group>;
  /** Names that a split file says are seen, in the order of `names`; absent without such a file. */
  readonly seen?: readonly string[];
  /** Rows of the annotation files that could not be read; empty where bad rows stop the reading. */
  readonly skipped: readonly BadRow[];
}
