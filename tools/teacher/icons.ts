/**
 * Picks and draws the icons whose features `features.py` computes for distillation.
 *
 *     node --import tsx tools/teacher/icons.ts select
 *     node --import tsx tools/teacher/icons.ts stream icons|drawings --side 224 > images.u8
 *
 * `select` installs the icon sets below (into --icons, a folder of its own), draws each icon as the benchmark would and
 * writes icons.u8 ([N, 64, 64, 3] bytes), icons.json ({set, name}), sets.json (licences, versions, counts) and
 * drawings.json ({style, id}: the benchmark's pre-training drawings) to --out. Icons that are near-duplicates of a test
 * or few-shot drawing are left out; nothing else looks at those drawings. `stream` draws the listed images at another
 * size, as raw RGB to the standard output.
 */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import * as path from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import * as hash from "../../lib/benchmark/emoji-fgvr/hash";
import { iconSet, iconSvg, type IconSet } from "../../lib/benchmark/emoji-fgvr/packages";
import { IMAGE_SIZE } from "../../lib/benchmark/emoji-fgvr/render";
import type { RgbImage } from "../../lib/benchmark/emoji-fgvr/types";
import { readJson } from "../../lib/util/files";
import { foldIn, random } from "../../lib/util/random";
import { repositoryRoot } from "../../lib/util/root";

/** How an icon set is used: which of its names, and which version. */
interface Source {
  readonly version: string;
  readonly keep?: (name: string) => boolean;
  /** names end in a size; only the largest of each is drawn */
  readonly sized?: boolean;
}

/** Coloured sets first; the last ones fill up to MAX_ICONS. */
const SOURCES: Readonly<Record<string, Source>> = {
  "flat-color-icons": { version: "1.2.3" },
  "fluent-color": { version: "1.2.21", sized: true },
  meteocons: { version: "1.2.4" },
  "streamline-ultimate-color": { version: "1.2.2" },
  "streamline-freehand-color": { version: "1.2.2" },
  "streamline-kameleon-color": { version: "1.2.2" },
  "streamline-stickies-color": { version: "1.2.2" },
  "streamline-plump-color": { version: "1.2.2" },
  "streamline-flex-color": { version: "1.2.2" },
  "streamline-color": { version: "1.2.2" },
  "streamline-cyber-color": { version: "1.2.2" },
  "streamline-sharp-color": { version: "1.2.2" },
  marketeq: { version: "1.2.2" },
  "vscode-icons": { version: "1.2.97" },
  "material-icon-theme": { version: "1.2.70" },
  "icon-park": { version: "1.2.4" },
  "icon-park-twotone": { version: "1.2.4" },
  "game-icons": { version: "1.2.4" },
  healthicons: { version: "1.2.13", keep: (name) => !/-(outline|negative|24px)(-|$)/.test(name) },
  maki: { version: "1.2.5" },
  temaki: { version: "1.2.6" },
  ph: { version: "1.2.2", keep: (name) => name.endsWith("-duotone") },
  mdi: { version: "1.2.3", keep: (name) => !/-outline(-|$)/.test(name) },
};
const LICENCES = /^(MIT|Apache-2\.0|CC0-1\.0|CC-BY-[34]\.0)$/;
const MAX_PER_SET = 4000;
const MAX_ICONS = 25_000;
const LEFT_OUT_NAME = /(^|-)(logos?|brands?|flags?)(-|$)/;
const LEFT_OUT_CATEGORY = /brand|logo|flag/i;
const SEED = 41;
/** Colours for icons drawn in `currentColor`. */
const PALETTE = "#d32f2f #f57c00 #fbc02d #388e3c #00897b #0288d1 #1a3e8c #7b1fa2 #e4569b #795548 #616161 #111111".split(
  " ",
);
const VISIBLE_ALPHA = 16;
const BATCH = 32;

interface Named {
  readonly set: string;
  readonly name: string;
}
interface Drawing {
  readonly style: string;
  readonly id: string;
}
interface StudyConcept {
  readonly id: string;
  readonly drawings: Readonly<Record<string, string>>;
  readonly roles: Readonly<Record<string, string>>;
}
type Draw = (side: number) => Promise<RgbImage | null>;

/** `rasterise` of lib/benchmark/emoji-fgvr/render.ts for any side (the same pixels at 64); null: it draws nothing. */
async function draw(set: IconSet, name: string, side: number): Promise<RgbImage | null> {
  const svg = Buffer.from(iconSvg(set, name, 2 * side));
  const { data, info } = await sharp(svg).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  let [left, top, right, bottom] = [info.width, info.height, -1, -1];
  for (let y = 0; y < info.height; y++)
    for (let x = 0; x < info.width; x++) {
      if (data[(y * info.width + x) * 4 + 3] <= VISIBLE_ALPHA) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    }
  if (right < 0) return null;
  const margin = side / 16;
  const clear = { r: 255, g: 255, b: 255, alpha: 0 };
  const pixels = await sharp(data, { raw: { width: info.width, height: info.height, channels: 4 } })
    .extract({ left, top, width: right - left + 1, height: bottom - top + 1 })
    .resize(side - 2 * margin, side - 2 * margin, { fit: "contain", background: clear })
    .extend({ top: margin, bottom: margin, left: margin, right: margin, background: clear })
    .flatten({ background: "#ffffff" })
    .removeAlpha()
    .raw()
    .toBuffer();
  return { data: new Uint8Array(pixels), width: side, height: side };
}

/** The set `prefix` from `folder`, its `currentColor` replaced by a seeded colour per icon. */
function colouredSet(folder: string, prefix: string): IconSet {
  const data = readJson(path.join(folder, "node_modules/@iconify-json", prefix, "icons.json")) as IconSet;
  for (const [name, icon] of Object.entries(data.icons)) {
    const colour = random(foldIn(SEED, prefix, name)).choice(PALETTE);
    icon.body = icon.body.replaceAll("currentColor", colour);
  }
  return { ...data, prefix, width: data.width ?? 16, height: data.height ?? 16 };
}

/** Names of a set that may be drawn, at most `limit` (a seeded choice), sorted. */
function pickNames(folder: string, set: IconSet, source: Source, limit: number): string[] {
  const metadataFile = path.join(folder, "node_modules/@iconify-json", set.prefix, "metadata.json");
  const metadata = existsSync(metadataFile)
    ? (readJson(metadataFile) as { categories?: Record<string, string[]> })
    : {};
  const leftOut = new Set(
    Object.entries(metadata.categories ?? {}).flatMap(([title, names]) => (LEFT_OUT_CATEGORY.test(title) ? names : [])),
  );
  const largest = new Map<string, number>();
  const parts = (name: string): [string, number] => {
    const match = /^(.*)-(\d+)$/.exec(name);
    return match ? [match[1], Number(match[2])] : [name, 0];
  };
  const names = Object.entries(set.icons)
    .filter(([, icon]) => !(icon as { hidden?: boolean }).hidden)
    .map(([name]) => name)
    .filter((name) => (source.keep?.(name) ?? true) && !LEFT_OUT_NAME.test(name) && !leftOut.has(name))
    .sort();
  if (source.sized)
    for (const [stem, size] of names.map(parts)) largest.set(stem, Math.max(size, largest.get(stem) ?? 0));
  const fit = source.sized ? names.filter((name) => largest.get(parts(name)[0]) === parts(name)[1]) : names;
  return fit.length <= limit ? fit : random(foldIn(SEED, set.prefix)).sample(fit, limit).sort();
}

/** Installs the sets that are not there yet; throws on a licence that is not allowed. Returns prefix -> licence. */
function installSets(folder: string): Record<string, string> {
  const file = (prefix: string, name: string): string => path.join(folder, "node_modules/@iconify-json", prefix, name);
  const missing = Object.entries(SOURCES)
    .filter(
      ([prefix, { version }]) =>
        !existsSync(file(prefix, "package.json")) ||
        (readJson(file(prefix, "package.json")) as { version: string }).version !== version,
    )
    .map(([prefix, { version }]) => `@iconify-json/${prefix}@${version}`);
  if (missing.length > 0) {
    mkdirSync(folder, { recursive: true });
    if (!existsSync(path.join(folder, "package.json"))) writeFileSync(path.join(folder, "package.json"), "{}\n");
    const options = ["--ignore-scripts", "--no-audit", "--no-fund"];
    execFileSync("npm", ["install", ...options, ...missing], { cwd: folder, stdio: ["ignore", 2, 2] });
  }
  return Object.fromEntries(
    Object.keys(SOURCES).map((prefix) => {
      const info = readJson(file(prefix, "info.json")) as { license: { spdx?: string } };
      const licence = info.license.spdx ?? "unknown";
      if (!LICENCES.test(licence)) throw new Error(`icon set ${prefix}: licence ${licence} is not allowed`);
      return [prefix, licence];
    }),
  );
}

/** The study's drawings whose role is one of `roles`, in the order of concepts.json. */
function studyDrawings(roles: readonly string[]): (Drawing & { draw: Draw })[] {
  const folder = path.join(repositoryRoot(), "data", "emoji-study");
  const { styles } = readJson(path.join(folder, "splits.json")) as { styles: Record<string, { package: string }> };
  const concepts = readJson(path.join(folder, "concepts.json")) as StudyConcept[];
  return concepts.flatMap((concept) =>
    Object.entries(concept.drawings)
      .filter(([style]) => roles.includes(concept.roles[style]))
      .map(([style, name]) => ({
        style,
        id: concept.id,
        draw: (side: number) => draw(iconSet(styles[style].package.replace("@iconify-json/", "")), name, side),
      })),
  );
}

/** Calls `use` with the images in order, BATCH of them drawn at a time; an icon that cannot be drawn gives null. */
async function drawAll(
  draws: readonly Draw[],
  side: number,
  use: (image: RgbImage | null, index: number) => void | Promise<void>,
): Promise<void> {
  const start = (at: number): Promise<(RgbImage | null)[]> =>
    Promise.all(draws.slice(at, at + BATCH).map((one) => one(side).catch(() => null)));
  for (let at = 0, next = start(0); at < draws.length; at += BATCH) {
    const images = await next;
    next = start(at + BATCH);
    for (const [i, image] of images.entries()) await use(image, at + i);
  }
}

async function select(out: string, folder: string): Promise<void> {
  mkdirSync(out, { recursive: true });
  const writeJson = (name: string, rows: readonly object[]): void =>
    writeFileSync(path.join(out, name), `[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`);
  writeJson(
    "drawings.json",
    studyDrawings(["pretraining"]).map(({ style, id }) => ({ style, id })),
  );
  const licences = installSets(folder);
  const heldOut: hash.HashedImage[] = [];
  await drawAll(
    studyDrawings(["test", "fewshot"]).map((one) => one.draw),
    IMAGE_SIZE,
    (image, i) => {
      if (!image) throw new Error(`study drawing ${i} draws nothing`);
      heldOut.push({ image, hash: hash.perceptualHash(image) });
    },
  );
  const icons: Named[] = [];
  const sets: object[] = [];
  const file = openSync(path.join(out, "icons.u8"), "w");
  for (const [prefix, source] of Object.entries(SOURCES)) {
    const set = colouredSet(folder, prefix);
    const names = pickNames(folder, set, source, Math.min(MAX_PER_SET, MAX_ICONS - icons.length));
    const counts = { drawn: 0, empty: 0, nearDuplicates: 0 };
    await drawAll(
      names.map((name) => (side: number) => draw(set, name, side)),
      IMAGE_SIZE,
      (image, i) => {
        const hashed = image && { image, hash: hash.perceptualHash(image) };
        if (!hashed) counts.empty++;
        else if (heldOut.some((other) => hash.nearDuplicate(hashed, other))) counts.nearDuplicates++;
        else {
          counts.drawn++;
          icons.push({ set: prefix, name: names[i] });
          writeSync(file, hashed.image.data);
        }
      },
    );
    sets.push({ set: prefix, version: source.version, licence: licences[prefix], ...counts });
    console.log(JSON.stringify(sets.at(-1)));
  }
  closeSync(file);
  writeJson("icons.json", icons);
  writeJson("sets.json", sets);
  console.log(`${icons.length} icons; ${heldOut.length} held-out drawings compared`);
}

async function stream(out: string, folder: string, kind: string, side: number): Promise<void> {
  let draws: Draw[];
  if (kind === "icons") {
    const sets = new Map<string, IconSet>();
    draws = (readJson(path.join(out, "icons.json")) as Named[]).map(({ set: prefix, name }) => {
      const set = sets.get(prefix) ?? colouredSet(folder, prefix);
      sets.set(prefix, set);
      return (size) => draw(set, name, size);
    });
  } else if (kind === "drawings") draws = studyDrawings(["pretraining"]).map((one) => one.draw);
  else throw new Error(`stream: "${kind}" is neither icons nor drawings`);
  await drawAll(draws, side, async (image, i) => {
    if (!image) throw new Error(`${kind} ${i} draws nothing`);
    if (!process.stdout.write(image.data)) await once(process.stdout, "drain");
  });
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: "string", default: path.join(repositoryRoot(), "data/cache/teacher") },
    icons: { type: "string", default: path.join(repositoryRoot(), "data/cache/teacher-icons") },
    side: { type: "string", default: "224" },
  },
});
sharp.concurrency(1);

async function main(): Promise<void> {
  if (positionals[0] === "select") await select(values.out, values.icons);
  else if (positionals[0] === "stream") await stream(values.out, values.icons, positionals[1], Number(values.side));
  else throw new Error("usage: icons.ts select | icons.ts stream icons|drawings [--out F] [--icons F] [--side N]");
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
