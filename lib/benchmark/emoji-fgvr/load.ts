/** Reads and checks the committed files. Every error names the file and the field. */
import * as path from "node:path";
import { readJson } from "../../util/files";
import { ICON_NAME } from "./packages";
import { ROLES, type Concept, type DesignerRole, type Domain, type Style, type StyleInfo } from "./types";

/** `1f431`, `1f1eb-1f1f7`: ids become file names. */
export const CONCEPT_ID = /^[0-9a-f]{1,6}(-[0-9a-f]{1,6})*$/;
const NAME = /^[a-z]+( [a-z]+)*$/;
const WORD = /^[a-z]+$/;
const ROLE = new RegExp(`^(${ROLES.join("|")})$`);

/** The two committed files as they are used. */
export interface EmojiFgvrFiles {
  readonly concepts: readonly Concept[];
  readonly styles: Readonly<Record<Style, StyleInfo>>;
  readonly domains: readonly Domain[];
  /** name -> some of the domains, which are asked about together; empty where all are */
  readonly groups: Readonly<Record<string, readonly Domain[]>>;
  /** npm package -> the version that the files were built from */
  readonly packages: Readonly<Record<string, string>>;
}

type Fields = Record<string, unknown>;

/** Reads typed fields of one record, and says where a wrong one stands. */
class Reader {
  constructor(
    private readonly fields: Fields,
    private readonly where: string,
  ) {}

  static of(value: unknown, where: string): Reader {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new Error(`${where}: expected an object`);
    return new Reader(value as Fields, where);
  }

  fail(field: string, expected: string): never {
    const text = JSON.stringify(this.fields[field]);
    const found = text === undefined ? "missing" : text.length > 60 ? `${text.slice(0, 60)}...` : text;
    throw new Error(`${this.where}, field "${field}": ${found}, expected ${expected}`);
  }

  string(field: string, pattern: RegExp): string {
    const value = this.fields[field];
    return typeof value === "string" && pattern.test(value) ? value : this.fail(field, `text like ${String(pattern)}`);
  }

  /** null where the field is missing */
  optionalString(field: string, pattern: RegExp): string | null {
    return this.fields[field] === undefined ? null : this.string(field, pattern);
  }

  /** An empty object where the field is missing. */
  optionalRecord(field: string): [string, unknown][] {
    return this.fields[field] === undefined ? [] : this.record(field);
  }

  strings(field: string, pattern: RegExp): string[] {
    const value = this.fields[field];
    const good = Array.isArray(value) && value.every((item) => typeof item === "string" && pattern.test(item));
    return good ? (value as string[]) : this.fail(field, `a list of texts like ${String(pattern)}`);
  }

  record(field: string): [string, unknown][] {
    const value = this.fields[field];
    if (typeof value !== "object" || value === null || Array.isArray(value)) return this.fail(field, "an object");
    return Object.entries(value);
  }
}

function readStyles(splits: Reader, file: string): Record<Style, StyleInfo> {
  const styles: Record<Style, StyleInfo> = {};
  const roles = new Map<string, DesignerRole>();
  for (const [style, value] of splits.record("styles")) {
    if (!ICON_NAME.test(style)) splits.fail("styles", `style names like ${String(ICON_NAME)}`);
    const info = Reader.of(value, `${file}, styles.${style}`);
    const designer = info.string("designer", ICON_NAME);
    const role = info.optionalString("role", ROLE) as DesignerRole | null;
    if (role !== null && (roles.get(designer) ?? role) !== role)
      info.fail("role", `"${roles.get(designer)}" as for ${designer}'s other styles`);
    if (role !== null) roles.set(designer, role);
    styles[style] = { package: info.string("package", ICON_NAME), designer, role };
  }
  return styles;
}

type Sides = ReadonlyMap<string, "seen" | "unseen">;

function readConcept(value: unknown, where: string, files: Omit<EmojiFgvrFiles, "concepts">, sides: Sides): Concept {
  const fields: Reader = Reader.of(value, where);
  const id = fields.string("id", CONCEPT_ID);
  const domain = (value as Fields).domain === null ? null : fields.string("domain", WORD);
  if (domain !== null && !files.domains.includes(domain))
    fields.fail("domain", `one of ${files.domains.join(", ")} or null`);
  const split = sides.get(id) ?? "pretraining";
  if ((split === "pretraining") !== (domain === null))
    fields.fail("domain", `${domain === null ? "a domain" : "null"}: in splits.json ${id} is ${split}`);
  const drawings: Record<Style, string> = {};
  const roles: Record<Style, DesignerRole> = {};
  const own = new Map(fields.optionalRecord("roles"));
  for (const style of own.keys())
    if (!Object.hasOwn((value as Fields).drawings as Fields, style))
      fields.fail("roles", `drawn styles (not "${style}")`);
  for (const [style, icon] of fields.record("drawings")) {
    if (typeof icon !== "string" || !ICON_NAME.test(icon))
      fields.fail("drawings", `icon names like ${String(ICON_NAME)}`);
    const info = Object.hasOwn(files.styles, style) ? files.styles[style] : null;
    if (!info) fields.fail("drawings", `styles of splits.json (not "${style}")`);
    const role = own.get(style) ?? info.role;
    if (own.has(style) && (typeof role !== "string" || !ROLE.test(role)))
      fields.fail("roles", `one of ${ROLES.join(", ")}`);
    if (split === "pretraining" && role !== "pretraining")
      fields.fail("drawings", `pre-training styles only (not "${style}")`);
    drawings[style] = icon;
    if (role !== null) roles[style] = role as DesignerRole;
  }
  return {
    id,
    name: fields.string("name", NAME),
    domain,
    split,
    kind: fields.string("kind", WORD),
    keywords: fields.strings("keywords", WORD),
    visualWords: fields.strings("visual_words", WORD),
    hardNegatives: fields.strings("hard_negatives", CONCEPT_ID),
    drawings,
    roles,
  };
}

/** Reads `concepts.json` and `splits.json` of a folder; throws on the first thing that is not as it must be. */
export function readEmojiFgvr(folder: string): EmojiFgvrFiles {
  const splitsFile = path.join(folder, "splits.json");
  const conceptsFile = path.join(folder, "concepts.json");
  const splits: Reader = Reader.of(readJson(splitsFile), splitsFile);
  const shared = {
    styles: readStyles(splits, splitsFile),
    domains: splits.strings("domains", WORD),
    groups: Object.fromEntries(
      splits
        .optionalRecord("groups")
        .map(([name]) => [
          name,
          Reader.of(Object.fromEntries(splits.optionalRecord("groups")), `${splitsFile}, groups`).strings(name, WORD),
        ]),
    ),
    packages: Object.fromEntries(splits.record("packages").map(([name, version]) => [name, String(version)])),
  };
  const sides = new Map<string, "seen" | "unseen">();
  for (const side of ["seen", "unseen"] as const)
    for (const id of splits.strings(side, CONCEPT_ID)) {
      if (sides.has(id)) splits.fail(side, `each id once (${id} occurs twice)`);
      sides.set(id, side);
    }
  const rows = readJson(conceptsFile);
  if (!Array.isArray(rows)) throw new Error(`${conceptsFile}: expected a list of concepts`);
  const concepts = rows.map((row, i) => readConcept(row, `${conceptsFile}, concept ${i}`, shared, sides));
  const byId = new Map(concepts.map((c) => [c.id, c]));
  if (byId.size !== concepts.length) throw new Error(`${conceptsFile}: an id occurs twice`);
  for (const [id, side] of sides)
    if (!byId.has(id)) throw new Error(`${splitsFile}, field "${side}": ${id} is not in concepts.json`);
  for (const c of concepts)
    for (const id of c.hardNegatives)
      if (id === c.id || byId.get(id)?.domain !== c.domain)
        throw new Error(
          `${conceptsFile}, concept ${c.id}, field "hard_negatives": ${id} is no other concept of its domain`,
        );
  return { ...shared, concepts };
}
