/** The records of Emoji-FGVR. */

/** A super-category: `mammal`, `food`, `flag`, ... */
export type Domain = string;

/** A style is one designer's way of drawing: nearly always one Iconify set (`twemoji`). */
export type Style = string;

/** What drawings may be used for. In `emoji-fgvr` a designer has exactly one role. */
export type DesignerRole = "pretraining" | "fewshot" | "dev" | "test";

export const ROLES: readonly DesignerRole[] = ["pretraining", "fewshot", "dev", "test"];

/** Where a style comes from and what it may be used for (`splits.json`, field `styles`). */
export interface StyleInfo {
  /** npm package: `@iconify-json/<package>` */
  readonly package: string;
  /** the designer (family): versions of one designer's set share it */
  readonly designer: string;
  /** null: each concept says which of its drawings has which role (`Concept.roles`) */
  readonly role: DesignerRole | null;
}

/** One emoji concept: a sub-category of the benchmark, or a concept that only pre-training sees. */
export interface Concept {
  /** hexcode, lower case, `-` joined, without the presentation selector: `1f431`, `1f1eb-1f1f7` */
  readonly id: string;
  /** lower-case words of a-z, one space between them */
  readonly name: string;
  /** null: in pre-training only */
  readonly domain: Domain | null;
  readonly split: "seen" | "unseen" | "pretraining";
  /** one coarse word: `bird`, `fruit`, `flag` */
  readonly kind: string;
  /** at most 4 of emojibase's tags */
  readonly keywords: readonly string[];
  /** sub-categories: 3-5 words of the committed table; pre-training concepts: at most 3 tags */
  readonly visualWords: readonly string[];
  /** ids of all other sub-categories of the domain (seen and unseen), most similar first; empty in pre-training */
  readonly hardNegatives: readonly string[];
  /** style -> icon name in that style's package */
  readonly drawings: Readonly<Record<Style, string>>;
  /** style -> what that drawing may be used for; a drawing without a role is used for nothing */
  readonly roles: Readonly<Record<Style, DesignerRole>>;
}

/** One drawing as a rasterised file. */
export interface Drawing {
  readonly style: Style;
  /** the same as `style`: the icon set (`flag-square` is a second drawing of set `flag`) */
  readonly set: Style;
  readonly designer: string;
  /** relative to the repository's root, `/` as separator */
  readonly path: string;
}

/** An image in memory: `data` holds height x width x 3 bytes (RGB, 0-255), row by row. */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}
