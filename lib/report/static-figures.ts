/**
 * Figures as files: `figures/NAME.svg`, the table behind it as `figures/NAME.csv`, and `figures/NAME.stamp.json`, which
 * says what they were made from. The same input gives the same bytes.
 */
import { createHash } from "node:crypto";
import { promises as fs } from "node:fs";
import * as path from "node:path";
import * as aq from "arquero";
import type { Figure } from "./figures-theme";
import { renderSvg } from "./static-figures-kaleido";
import { repositoryRoot } from "../util/root";

/** What a figure was made from: SHA-256 sums, hexadecimal, of the code, the settings and the data. */
export interface Provenance {
  code: string;
  settings: string;
  data: string;
}

/** A figure to be saved. */
export interface FigureFile {
  /** File name without ending: letters, digits, `-`, `_`. */
  name: string;
  figure: Figure;
  /** The numbers behind it; columns in the order of the first row's fields. */
  rows: readonly object[];
  provenance: Provenance;
}

/** SHA-256 of text or bytes, hexadecimal. */
export function sha256(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/** SHA-256 over files' names and contents, in order of their names. */
export async function hashFiles(files: readonly string[], root = repositoryRoot()): Promise<string> {
  const lines = await Promise.all(
    [...files]
      .sort()
      .map(
        async (file) =>
          `${path.relative(root, path.resolve(root, file))} ${sha256(await fs.readFile(path.resolve(root, file)))}`,
      ),
  );
  return sha256(lines.join("\n"));
}

/** One number for all of a provenance. */
export function stampOf({ code, settings, data }: Provenance): string {
  return sha256(`code ${code}\nsettings ${settings}\ndata ${data}\n`);
}

/** Writes a file under a temporary name beside it, then renames. */
export async function writeAtomically(file: string, content: string): Promise<void> {
  await fs.mkdir(path.dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  await fs.writeFile(temporary, content);
  await fs.rename(temporary, file);
}

/** Puts the stamp into an SVG, as its `<metadata>`. */
function stampSvg(svg: string, provenance: Provenance, csv: string): string {
  const fields = { stamp: stampOf(provenance), ...provenance, csv: sha256(csv) };
  const attributes = Object.entries(fields)
    .map(([key, value]) => `${key}="${value}"`)
    .join(" ");
  const metadata = `<metadata><provenance xmlns="https://fine-r1.invalid/provenance" ${attributes}/></metadata>`;
  return svg.replace(/^(<svg[^>]*>)/, `$1${metadata}`) + "\n";
}

/** The stamp of an SVG that `saveFigures` wrote; null where it has none. */
export function readStamp(svg: string): string | null {
  return /<provenance [^>]*\bstamp="([0-9a-f]{64})"/.exec(svg)?.[1] ?? null;
}

/**
 * Draws and writes figures, one browser start for all of them (1.3 s, then about 60 ms each).
 * @param directory `figures/` of the repository by default
 * @returns the SVG files
 * @throws {Error} on a bad name, a missing kaleido, or a figure that plotly refuses; nothing is written then
 */
export async function saveFigures(
  figures: readonly FigureFile[],
  directory = path.join(repositoryRoot(), "figures"),
): Promise<string[]> {
  for (const { name, provenance } of figures) {
    if (!/^[A-Za-z0-9_-]+$/.test(name))
      throw new Error(`saveFigures: "${name}" is no figure name; letters, digits, - and _ only`);
    for (const [field, sum] of Object.entries(provenance)) {
      if (!/^[0-9a-f]{64}$/.test(sum as string))
        throw new Error(`saveFigures: ${name}: provenance.${field} is not a SHA-256 sum`);
    }
  }
  const svgs = await renderSvg(figures.map(({ figure }) => figure));
  const files: string[] = [];
  for (const [i, { name, rows, provenance }] of figures.entries()) {
    const csv = rows.length === 0 ? "" : aq.from([...rows]).toCSV();
    const svg = stampSvg(svgs[i], provenance, csv);
    const file = path.join(directory, `${name}.svg`);
    const stamp = { stamp: stampOf(provenance), ...provenance, csv: sha256(csv), svg: sha256(svg) };
    await writeAtomically(path.join(directory, `${name}.csv`), csv);
    await writeAtomically(file, svg);
    await writeAtomically(path.join(directory, `${name}.stamp.json`), `${JSON.stringify(stamp, null, 1)}\n`);
    files.push(file);
  }
  return files;
}

/** Draws and writes one figure. For several, `saveFigures` starts the browser once. */
export async function saveFigure(
  name: string,
  figure: Figure,
  rows: readonly object[],
  provenance: Provenance,
  directory?: string,
): Promise<string> {
  return (await saveFigures([{ name, figure, rows, provenance }], directory))[0];
}
