/**
 * Notebooks as documents: the outputs of a run put into `notebooks/`, so that they can be read where nothing runs them.
 * A plotly figure gets a PNG beside its JSON, which GitHub shows.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import type { Figure } from "../../lib/report/figures-theme";
import { renderPng } from "../../lib/report/static-figures-kaleido";
import type { Provenance } from "../../lib/report/static-figures";
import { sha256 } from "../../lib/report/static-figures";
import { writeText } from "../../lib/util/files";

/** Largest notebook with its outputs, bytes. */
export const MOST_BYTES = 500 * 1024;

const PLOTLY = "application/vnd.plotly.v1+json";

interface Cell {
  cell_type: string;
  id?: string;
  source: string | string[];
  metadata: Record<string, unknown>;
  outputs?: { output_type: string; text?: string | string[]; data?: Record<string, unknown> }[];
  execution_count?: number | null;
}

interface Notebook {
  cells: Cell[];
  metadata: Record<string, unknown>;
}

const read = (file: string): Notebook => JSON.parse(fs.readFileSync(file, "utf8")) as Notebook;
const sourceOf = ({ source }: Cell): string => (Array.isArray(source) ? source.join("") : source);

/** SHA-256 of all code cells: outputs belong to cells that have this. */
export function codeCellsHash(file: string): string {
  return sha256(
    JSON.stringify(read(file).cells.flatMap((cell) => (cell.cell_type === "code" ? [sourceOf(cell)] : []))),
  );
}

/** What a published notebook's outputs were made from, as `fine_r1` in its metadata; null where it has none. */
export function notebookStamp(file: string): (Provenance & { cells: string }) | null {
  return (read(file).metadata.fine_r1 as (Provenance & { cells: string }) | undefined) ?? null;
}

/** A figure that fills its cell, with the width it was made for. */
function withWidth({ data, layout }: Figure): Figure {
  const { meta } = layout as { meta?: { width?: number } };
  return { data, layout: { width: meta?.width, ...layout } };
}

/** A PNG of few colours, which figures are. */
const small = async (png: Buffer): Promise<string> =>
  (await sharp(png).png({ palette: true, colours: 64, dither: 0, effort: 10 }).toBuffer()).toString("base64");

/** Digits that a figure's numbers keep: more than its pixels show. */
const DIGITS = 6;

/** A value's JSON with rounded numbers. */
const rounded = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, inner: unknown) =>
      typeof inner === "number" ? Number(inner.toPrecision(DIGITS)) : inner,
    ),
  );

/** Text of a notebook, lists of numbers on one line. */
const notebookText = (notebook: Notebook): string =>
  `${JSON.stringify(notebook, null, 1).replace(/\[\s+(-?\d[-\d.e+,\s]*?)\s+\]/g, (_, list: string) => `[${list.replace(/\s+/g, "")}]`)}\n`;

/**
 * Puts the outputs of `executed` into `file`, whose cells must be the same.
 * @throws Error where they are not, where an output names a folder of this machine, or where the whole is too large
 */
export async function publishNotebook(file: string, executed: string, provenance: Provenance): Promise<void> {
  const notebook = read(file);
  const done = read(executed);
  if (codeCellsHash(file) !== codeCellsHash(executed))
    throw new Error(`${file}: its code cells are not those of ${executed}; run it again`);
  const figures: { data: Record<string, unknown>; figure: Figure }[] = [];
  notebook.cells.forEach((cell, i) => {
    if (cell.cell_type !== "code") return;
    const { outputs = [], execution_count } = done.cells[i];
    cell.outputs = outputs;
    cell.execution_count = execution_count;
    for (const { data } of outputs) {
      if (data?.[PLOTLY]) figures.push({ data, figure: data[PLOTLY] as Figure });
      if (data?.["image/png"]) delete data["text/html"]; // the same picture twice
    }
  });
  const pngs = await renderPng(figures.map(({ figure }) => withWidth(figure)));
  for (const [i, { data, figure }] of figures.entries()) {
    data["image/png"] = await small(pngs[i]);
    data[PLOTLY] = rounded(figure);
  }
  notebook.metadata.fine_r1 = { ...provenance, cells: codeCellsHash(file) };
  const text = notebookText(notebook);
  const home = path.resolve(__dirname, "../..");
  if (text.includes(home)) throw new Error(`${executed}: an output names the folder ${home}`);
  if (text.length > MOST_BYTES)
    throw new Error(`${executed}: ${text.length} bytes with its outputs, more than ${MOST_BYTES}`);
  writeText(file, text);
}

/** All notebooks of a run, in order of name; one that the run does not have keeps what it has. */
export async function publishNotebooks(
  files: readonly string[],
  folder: string,
  provenance: Provenance,
): Promise<string[]> {
  const published: string[] = [];
  for (const file of files) {
    const executed = path.join(folder, path.basename(file));
    if (!fs.existsSync(executed)) continue;
    await publishNotebook(file, executed, provenance);
    published.push(file);
  }
  return published;
}
