/**
 * Tables to explore in the page: sort, filter, group, look at a row's image; without kernel and network. Grid libraries
 * were no fit: those that group bring 50 KB and more, and each output would hold them again. The script of a few KB
 * (`client/explore-table.ts`) works on the table that stands there: where it does not run, in a notebook that is not
 * trusted or on GitHub, the table is plain and whole.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { transformSync } from "esbuild";
import { uprightImage } from "../processor/image-decode";
import { escapeHtml } from "../util/escape-html";
import { repositoryRoot } from "../util/root";
import { renderTable, show } from "./notebook";
import {
  tableCells,
  tableRows,
  type TableCells,
  type TableLike,
  type TableOptions,
  type TableRow,
} from "./table-cells";

export type Split = "seen" | "unseen";

export interface ExploreTableOptions<R extends object = TableRow> extends TableOptions {
  /** Rows shown at most, 500 unless given; the number of the others is said. */
  limit?: number;
  /** Bytes of the output at most, 200,000 unless given: what does not fit is left out, images first, and counted. */
  maxBytes?: number;
  /** File of the image that a row is about, null for none. */
  image?: (row: R) => string | null | undefined;
  /** Whether a row is of a seen or an unseen sub-category; its `split` unless given. Rows of each are marked. */
  split?: (row: R) => Split | null | undefined;
}

/** Longer side of a stored image and width in its row, pixels; the style sheet shows it at 144 where it is opened. */
const IMAGE_SIZE = 96;
const ROW_SIZE = 48;

/** Shares of the bytes: the plain text may take so much. */
const TEXT_SHARE = 0.25;

/** Marks that are told apart without colours. */
const MARKS: Readonly<Record<Split, string>> = { seen: "●\u00a0seen", unseen: "○\u00a0unseen" };

const ownSplit = ({ split }: { split?: unknown }): Split | null =>
  split === "seen" || split === "unseen" ? split : null;

/** The row with its mark in place of its `split`; a column of its own, the first, where it has none. */
function withMark(row: TableRow, split: Split | null): TableRow {
  const whole = "split" in row ? row : { split: "", ...row };
  return split ? { ...whole, split: MARKS[split] } : whole;
}

/** A file of the folder `client`, small. */
const clientCode = (name: string, loader: "ts" | "css", define: Record<string, string> = {}): string => {
  const source = readFileSync(path.join(repositoryRoot(), "lib/report/client", name), "utf8");
  const format = loader === "ts" ? ({ format: "iife" } as const) : {};
  return transformSync(source, { loader, minify: true, target: "es2020", define, ...format }).code.trim();
};

/** The page's script, for the table of an id; for all of a page where none is given. */
export const tableScript = (id = ""): string =>
  clientCode("explore-table.ts", "ts", { EXPLORE_ID: JSON.stringify(id) });

/** The number that a cell is sorted by: a value itself, or what its text begins with. */
function sortNumber(value: unknown, text: string): number {
  if (typeof value === "number") return value;
  return parseFloat(
    text
      .replace(/,/g, "")
      .replace(/−/g, "-")
      .replace(/^[<>≤≥~≈+\s]+/, ""),
  );
}

/** `data-n`, where the text of a cell of numbers is not the number that it is sorted by. */
function sortAttribute(value: unknown, text: string): string {
  const number = sortNumber(value, text);
  if (Number.isNaN(number)) return text === "" ? "" : ' data-n=""';
  return String(number) === text ? "" : ` data-n="${number}"`;
}

function rowHtml(cells: TableCells, i: number, split: Split | null, image: string | null): string {
  const { names, rows, isNumeric } = cells;
  const data = cells.cells[i].map((text, c) => {
    const written = escapeHtml(text);
    return isNumeric[c]
      ? `<td class="n"${sortAttribute(rows[i][names[c]], text)}>${written}</td>`
      : `<td>${written}</td>`;
  });
  return `<tr${split ? ` class="${split}"` : ""}>${image === null ? "" : `<td>${image}</td>`}${data.join("")}</tr>`;
}

/** An image that opens; `""` where there is none. @throws Error naming a file that can't be read */
async function imageHtml(file: string | null | undefined): Promise<string> {
  if (file === null || file === undefined) return "";
  const bytes = await (
    await uprightImage(file)
  )
    .resize(IMAGE_SIZE, IMAGE_SIZE, { fit: "inside", withoutEnlargement: true })
    .webp({ quality: 60 })
    .toBuffer();
  const name = escapeHtml(path.basename(file));
  return `<details><summary><img alt="${name}" width="${ROW_SIZE}" src="data:image/webp;base64,${bytes.toString("base64")}"></summary></details>`;
}

const bytesOf = (text: string): number => Buffer.byteLength(text);

/** How many of the parts, from the first on, are within `bytes`. */
function fitting(parts: readonly string[], bytes: number): number {
  let used = 0;
  const over = parts.findIndex((part) => (used += bytesOf(part)) > bytes);
  return over < 0 ? parts.length : over;
}

/** Images of the first rows, as long as they are within `bytes`; each file is read once. */
async function imagesWithin(files: readonly (string | null | undefined)[], bytes: number): Promise<string[]> {
  const images: string[] = [];
  const read = new Map<string | null | undefined, string>();
  for (const file of files) {
    const html = read.get(file) ?? (await imageHtml(file));
    read.set(file, html);
    bytes -= bytesOf(html);
    if (bytes < 0) break;
    images.push(html);
  }
  return images;
}

/** The plain text, of fewer rows where it is long. */
function plainText(rows: readonly TableRow[], options: TableOptions, bytes: number): string {
  let limit = Math.min(rows.length, options.limit ?? 50, 50);
  const text = (): string => renderTable(rows, { ...options, limit }).text;
  while (limit > 0 && bytesOf(text()) > bytes) limit = Math.floor(limit / 2);
  return text();
}

/** What is not there, in words; `""` where all is. */
function leftOut(rows: number, all: number, images: number | null): string {
  const parts = [
    ...(rows < all ? [`… and ${all - rows} more rows`] : []),
    ...(images !== null && images < rows ? [`images of the first ${images} of ${rows} rows only`] : []),
  ];
  return parts.length > 0 ? `<p>${parts.join("; ")}.</p>` : "";
}

/**
 * A table to explore as text and as HTML, self-contained. In the page its columns are sorted by a click or a key on
 * their heading, a text box filters rows, columns of few values have a select, and rows are grouped by such a column:
 * means and a count for each group.
 * @throws Error naming an image that can't be read; where `maxBytes` leaves no room for a row
 */
export async function renderExploreTable<R extends object>(
  table: TableLike | readonly R[],
  { limit = 500, decimals, maxBytes = 200_000, image, split = ownSplit }: ExploreTableOptions<R> = {},
): Promise<{ text: string; html: string }> {
  const given = tableRows(table);
  const splits = given.map((row) => split(row as R) ?? null);
  const marked = splits.some((one) => one !== null) ? given.map((row, i) => withMark(row, splits[i])) : given;
  const text = plainText(marked, { limit, decimals }, maxBytes * TEXT_SHARE);
  const cells = tableCells(marked, { limit, decimals });
  const style = `<style>${clientCode("explore-table.css", "css")}</style>`;
  const frame = bytesOf(style) + bytesOf(tableScript()) + bytesOf(text) + 1000;
  const rows = cells.rows.map((_, i) => rowHtml(cells, i, splits[i], image ? "" : null));
  const count = fitting(rows, maxBytes - frame);
  if (count === 0 && rows.length > 0)
    throw new Error(`exploreTable: not one row fits into maxBytes ${maxBytes}; ${frame} bytes are needed without rows`);
  const room = maxBytes - frame - bytesOf(rows.slice(0, count).join("\n"));
  const files = image ? given.slice(0, count).map((row) => image(row as R)) : [];
  const images = await imagesWithin(files, room);
  const body = rows.slice(0, count).map((html, i) => (images[i] ? rowHtml(cells, i, splits[i], images[i]) : html));
  const heads = cells.names.map(
    (name, c) => `<th scope="col"${cells.isNumeric[c] ? ' class="n"' : ""}>${escapeHtml(name)}</th>`,
  );
  const head = `<tr>${image ? '<th scope="col" data-image="1">image</th>' : ""}${heads.join("")}</tr>`;
  const inner = [
    `<div class="scroll" role="group" aria-label="Table" tabindex="0"><table><thead>${head}</thead><tbody>${body.join("\n")}</tbody></table></div>`,
    leftOut(count, given.length, image ? images.length : null),
  ].join("");
  const id = `explore-${createHash("sha256").update(inner).digest("hex").slice(0, 12)}`;
  return {
    text,
    html: `<div class="explore-table" data-explore="${id}">${style}${inner}</div><script>${tableScript(id)}</script>`,
  };
}

/** Shows rows, or an Arquero table, to be explored (`renderExploreTable`). Outside a notebook: as text. */
export async function exploreTable<R extends object>(
  table: TableLike | readonly R[],
  options: ExploreTableOptions<R> = {},
): Promise<void> {
  const { text, html } = await renderExploreTable(table, options);
  show({ "text/html": html, "text/plain": text });
}
