/**
 * The npm packages Emoji-FGVR is drawn from, read from `node_modules` and from nowhere else: one Iconify icon set per
 * `@iconify-json/*` package, and `emojibase-data`.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { readJson } from "../../util/files";
import { repositoryRoot } from "../../util/root";

/** What of an Iconify icon is used here; sizes are in the units of the icon's own view box. */
export interface Icon {
  body: string;
  left?: number;
  top?: number;
  width?: number;
  height?: number;
}

interface IconAlias extends Partial<Icon> {
  parent: string;
}

/** An Iconify set (`icons.json`) with its code point table (`chars.json`, empty where the package has none). */
export interface IconSet {
  prefix: string;
  version: string;
  icons: Record<string, Icon>;
  aliases: Record<string, IconAlias>;
  /** hexcode (lower case, `-` joined, without `fe0f`) -> icon name */
  chars: Record<string, string>;
  width: number;
  height: number;
}

/** Icon names that may become part of a path. */
export const ICON_NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;

const loaded = new Map<string, IconSet>();

/** A package's folder in `node_modules`; throws when it is not installed. */
export function packageFolder(name: string): string {
  const folder = path.join(repositoryRoot(), "node_modules", ...name.split("/"));
  if (!existsSync(path.join(folder, "package.json")))
    throw new Error(`package "${name}" is not installed (looked in ${folder}): run \`npm start\` or \`npm ci\``);
  return folder;
}

/** The version a package declares. */
export function packageVersion(name: string): string {
  return (readJson(path.join(packageFolder(name), "package.json")) as { version: string }).version;
}

/** Drops the emoji presentation selector, lower-cases: `1F43F-FE0F` -> `1f43f`. */
export function plainHexcode(hexcode: string): string {
  return hexcode
    .toLowerCase()
    .split("-")
    .filter((part) => part !== "fe0f")
    .join("-");
}

/** Reads the Iconify set `@iconify-json/<prefix>` (once a process). */
export function iconSet(prefix: string): IconSet {
  const known = loaded.get(prefix);
  if (known) return known;
  if (!ICON_NAME.test(prefix)) throw new Error(`icon set ${JSON.stringify(prefix)}: not a set name (a-z, 0-9 and -)`);
  const folder = packageFolder(`@iconify-json/${prefix}`);
  const file = path.join(folder, "icons.json");
  const data = readJson(file) as Partial<Omit<IconSet, "chars">>;
  if (!data.icons) throw new Error(`${file}: field "icons" is missing`);
  const charsFile = path.join(folder, "chars.json");
  const chars = existsSync(charsFile) ? (readJson(charsFile) as Record<string, string>) : {};
  const set: IconSet = {
    prefix,
    version: packageVersion(`@iconify-json/${prefix}`),
    icons: data.icons,
    aliases: data.aliases ?? {},
    chars: Object.fromEntries(Object.entries(chars).map(([hexcode, name]) => [plainHexcode(hexcode), name])),
    width: data.width ?? 16,
    height: data.height ?? 16,
  };
  loaded.set(prefix, set);
  return set;
}

/** The name under which an icon (or alias without changes of its own) is stored; null where the set has none. */
export function resolveIcon(set: IconSet, name: string): string | null {
  for (let current = name, depth = 0; depth < 5; depth++) {
    if (set.icons[current]) return current;
    const alias = set.aliases[current];
    if (!alias || Object.keys(alias).some((key) => key !== "parent")) return null; // no turned or mirrored copies
    current = alias.parent;
  }
  return null;
}

/** A complete SVG document of one icon, `width` pixels wide. */
export function iconSvg(set: IconSet, name: string, width: number): string {
  const icon = set.icons[name];
  if (!icon) throw new Error(`icon set "${set.prefix}" has no icon ${JSON.stringify(name)}`);
  const [w, h] = [icon.width ?? set.width, icon.height ?? set.height];
  const box = `${icon.left ?? 0} ${icon.top ?? 0} ${w} ${h}`;
  const size = `width="${width}" height="${Math.round((width * h) / w)}"`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ${size} viewBox="${box}">` +
    `${icon.body}</svg>`
  );
}
