/** Emoji-FGVR in memory: concepts, who drew what, what may be used for what. */
import * as path from "node:path";
import { drawingFile } from "./cache";
import { readEmojiFgvr, type EmojiFgvrFiles } from "./load";
import { dataFolder, type Edition } from "./paths";
import { repositoryRoot } from "../../util/root";
import type { Concept, DesignerRole, Domain, Drawing, Style, StyleInfo } from "./types";

/** A concept that is a sub-category of the benchmark. */
export type Subcategory = Concept & { readonly domain: Domain; readonly split: "seen" | "unseen" };

export class EmojiFgvr {
  /** all concepts: sub-categories first, then those of pre-training only */
  readonly concepts: readonly Concept[];
  readonly byId: ReadonlyMap<string, Concept>;
  readonly domains: readonly Domain[];
  readonly styles: Readonly<Record<Style, StyleInfo>>;
  readonly edition: Edition;
  /** `emoji-fgvr`, `emoji-study-dev`, ... */
  readonly name: string;

  /** @param only the group of domains whose concepts are sub-categories; all without it */
  constructor(files: EmojiFgvrFiles, { edition = "emoji-fgvr", only }: { edition?: Edition; only?: string } = {}) {
    this.edition = edition;
    this.concepts = files.concepts;
    if (only !== undefined && !Object.hasOwn(files.groups, only))
      throw new Error(
        `${edition} has no group ${JSON.stringify(only)}: known are ${Object.keys(files.groups).join(", ")}`,
      );
    this.name = only === undefined ? edition : `${edition}-${only}`;
    this.domains = only === undefined ? files.domains : files.groups[only];
    this.styles = files.styles;
    this.byId = new Map(files.concepts.map((c) => [c.id, c]));
  }

  /** The concept of an id; throws on an unknown one. */
  concept(id: string): Concept {
    const concept = this.byId.get(id);
    if (!concept) throw new Error(`Emoji-FGVR has no concept ${JSON.stringify(id)}`);
    return concept;
  }

  /** The benchmark's sub-categories, all or those of one domain or split. */
  subcategories(only: { domain?: Domain; split?: "seen" | "unseen" } = {}): Subcategory[] {
    return this.concepts.filter(
      (c): c is Subcategory =>
        c.domain !== null &&
        this.domains.includes(c.domain) &&
        (only.domain ?? c.domain) === c.domain &&
        (only.split ?? c.split) === c.split,
    );
  }

  private style(style: Style): StyleInfo {
    const info = Object.hasOwn(this.styles, style) ? this.styles[style] : undefined;
    if (!info)
      throw new Error(
        `Emoji-FGVR has no style ${JSON.stringify(style)}: known are ${Object.keys(this.styles).join(", ")}`,
      );
    return info;
  }

  /** The designer (family) of a style. */
  designerOf(style: Style): string {
    return this.style(style).designer;
  }

  /** What a style's drawings may be used for; null where each concept says it. */
  roleOf(style: Style): DesignerRole | null {
    return this.style(style).role;
  }

  /** A concept's drawings that have the role; `ensureDrawings()` makes the files. */
  drawings(concept: Concept, role: DesignerRole): Drawing[] {
    return Object.keys(concept.drawings)
      .filter((style) => concept.roles[style] === role)
      .map((style) => ({
        style,
        set: style,
        designer: this.designerOf(style),
        path: path
          .relative(repositoryRoot(), drawingFile(style, concept.id, this.edition))
          .split(path.sep)
          .join("/"),
      }));
  }

  /**
   * Other sub-categories of the domain, most similar first (`similarity.ts` has the measure), of one split if given.
   */
  nearestNegatives(id: string, options: { split?: Concept["split"]; limit?: number } = {}): Subcategory[] {
    const { split, limit = Infinity } = options;
    return this.concept(id)
      .hardNegatives.map((other) => this.concept(other) as Subcategory)
      .filter((other) => (split ?? other.split) === other.split)
      .slice(0, limit);
  }
}

/**
 * Reads a committed benchmark of drawings.
 * @param from edition and group of domains, or a folder (for tests)
 */
export function loadEmojiFgvr(
  from: string | { edition: Edition; only?: string } = { edition: "emoji-fgvr" },
): EmojiFgvr {
  return typeof from === "string"
    ? new EmojiFgvr(readEmojiFgvr(from))
    : new EmojiFgvr(readEmojiFgvr(dataFolder(from.edition)), from);
}
