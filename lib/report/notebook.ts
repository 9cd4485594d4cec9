/** What cells show: figures, images, tables and text. Outside a notebook the text form is printed. */
import { currentKernel, type MimeBundle } from "./kernel";
import { escapeHtml } from "../util/escape-html";
import { visibleText } from "../util/visible-text";
import { imageStrip, type ImageStripOptions } from "./image-strip";

/**
 * Shows a bundle; its `text/plain` is what appears where nothing richer can, control characters in it shown as
 * `\u001b`.
 */
export function show(bundle: MimeBundle & { "text/plain": string }): void {
  const kernel = currentKernel();
  const text = visibleText(bundle["text/plain"]);
  if (kernel) kernel.display({ ...bundle, "text/plain": text });
  else console.log(text);
}

/** A Plotly figure as Plotly's own JSON has it. */
export interface PlotlyFigure {
  data: object[];
  layout?: { title?: string | { text?: string } } & Record<string, unknown>;
}

/** Plotly 4 draws a title only as `{ text }`; the plain string that earlier versions took is turned into that. */
function withTitleObjects(value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([key, inner]: [string, unknown]): [string, unknown] =>
    key === "title" && typeof inner === "string" ? [key, { text: inner }] : [key, withTitleObjects(inner)],
  );
  return Object.fromEntries(entries);
}

/** A trace with the titles of its colour bar as Plotly 4 wants them; everything else is data and stays. */
function withColourBarTitle(trace: Record<string, unknown>): Record<string, unknown> {
  const marker = trace.marker as Record<string, unknown> | undefined;
  return {
    ...trace,
    ...("colorbar" in trace ? { colorbar: withTitleObjects(trace.colorbar) } : {}),
    ...(marker?.colorbar ? { marker: { ...marker, colorbar: withTitleObjects(marker.colorbar) } } : {}),
  };
}

/**
 * The figure as Plotly's own JSON: a copy, so that later changes do not show; typed arrays become lists, and titles
 * (of the figure, its axes, its legend, its colour bars) may be plain strings.
 */
export function figureJson(figure: PlotlyFigure): PlotlyFigure {
  const copy = JSON.parse(JSON.stringify(figure, plainArrays)) as { data: Record<string, unknown>[]; layout?: object };
  const layout = copy.layout && (withTitleObjects(copy.layout) as PlotlyFigure["layout"]);
  return { ...copy, data: copy.data.map(withColourBarTitle), ...(layout ? { layout } : {}) } as PlotlyFigure;
}

/** Figures wider than this fill their cell, whatever its width. */
const FIXED_WIDTH = 640;

/** A wide figure without a width of its own; `meta.width` keeps it for those who draw it as a file. */
function fillingCell(figure: PlotlyFigure): PlotlyFigure {
  const { width, ...rest } = (figure.layout ?? {}) as { width?: number };
  if (width === undefined || width <= FIXED_WIDTH) return figure;
  return { ...figure, layout: { ...rest, autosize: true, meta: { width } } };
}

/**
 * Shows an interactive Plotly figure (JupyterLab draws it with pip's `plotly`, also in an untrusted notebook).
 * `title` may be a string or Plotly 4's `{ text }`, here and in axes.
 *
 * @param png the same figure as a PNG, for viewers without Plotly such as GitHub
 */
export function showFigure(figure: PlotlyFigure, png?: Buffer): void {
  const json = fillingCell(figureJson(figure));
  const name = (json.layout?.title as { text?: string } | undefined)?.text ?? "untitled";
  show({
    "application/vnd.plotly.v1+json": json,
    ...(png ? { "image/png": png.toString("base64") } : {}),
    "text/plain": `[figure: ${name}]`,
  });
}

function plainArrays(_key: string, value: unknown): unknown {
  return ArrayBuffer.isView(value) && !(value instanceof DataView)
    ? Array.from(value as unknown as ArrayLike<number>)
    : value;
}

/**
 * Shows images side by side as one PNG, with captions below (a PNG shows in untrusted notebooks too, HTML does not).
 *
 * @param images PNG, JPEG or WebP bytes, or paths
 */
export async function showImages(images: (Buffer | string)[], options: ImageStripOptions = {}): Promise<void> {
  const captions = options.captions ?? [];
  const text = `[${images.length} image${images.length === 1 ? "" : "s"}${captions.length > 0 ? `: ${captions.join(" | ")}` : ""}]`;
  if (!currentKernel()) return show({ "text/plain": text });
  const strip = await imageStrip(images, options);
  show({ "image/png": strip.toString("base64"), "text/plain": text });
}

/** What an Arquero table has that is needed here; a list of rows does as well. */
export interface TableLike {
  columnNames(): string[];
  objects(options?: { limit?: number }): object[];
}

type Row = Record<string, unknown>;

export interface TableOptions {
  /** Rows shown, 50 unless given; the number of the others is said. */
  limit?: number;
  /** Decimals of numbers that are not whole, 3 unless given. A small number has as many as it needs. */
  decimals?: number;
}

/** Digits that a number keeps which the decimals of its column would show as 0. */
const SMALL_DIGITS = 3;

/** Decimals that tell a number from its neighbours, `most` at most. */
function decimalsOf(value: number, most: number): number {
  for (let decimals = 0; decimals < most; decimals++) if (Number(value.toFixed(decimals)) === value) return decimals;
  return most;
}

/** Below this, decimals round a number to one digit or none. */
const smallBelow = (decimals: number): number => Math.max(0.5 * 10 ** -decimals, Math.min(0.01, 10 ** (1 - decimals)));

/** A number with the decimals of its column; a small one keeps three digits: 0.00015. */
function numberText(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return String(value);
  const isRounded = value !== 0 && Number(value.toFixed(decimals)) !== value;
  if (isRounded && Math.abs(value) < smallBelow(decimals)) return String(Number(value.toPrecision(SMALL_DIGITS)));
  return value.toFixed(decimals);
}

/**
 * How a column's numbers are written: whole ones as they are where all are whole, otherwise all with one number of
 * decimals. Without small numbers, 58 beside 79.11 is 58.00.
 */
function columnFormat(values: readonly unknown[], most: number): (value: unknown) => string {
  const numbers = values.filter((value): value is number => typeof value === "number" && Number.isFinite(value));
  const decimals = Math.max(0, ...numbers.map((value) => decimalsOf(value, most)));
  return (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return numberText(value, decimals);
    return typeof value === "object" ? JSON.stringify(value) : String(value as string | boolean | bigint);
  };
}

/**
 * Numbers, and what is written as one: `58 %`, `-0.3`, `1,204`, `62.5 ±1.2 [58.1, 66.7]`, `<0.001`; a dash for none.
 */
const NUMERIC =
  /^(?:[-–]|[<>≤≥~≈]?\s*[-+−±]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?\s*%?(?:\s*±\s*\d[\d.]*\s*%?)?(?:\s*\[[-+−\d.,\s%]*\])?)$/i;

/** Whether a column is set to the right: numbers or text that is one, and gaps. */
function isNumericColumn(texts: readonly string[]): boolean {
  const written = texts.filter((text) => text !== "");
  return written.some((text) => /\d/.test(text)) && written.every((text) => NUMERIC.test(text));
}

/** A table as aligned text and as HTML; numbers to the right. */
export function renderTable(
  table: TableLike | readonly object[],
  options: TableOptions = {},
): { text: string; html: string } {
  const all = (Array.isArray(table) ? table : (table as TableLike).objects()) as Row[];
  const names = Array.isArray(table) ? Object.keys(all[0] ?? {}) : (table as TableLike).columnNames();
  const rows = all.slice(0, options.limit ?? 50);
  const columns = names.map((name) => {
    const values = rows.map((row) => row[name]);
    return values.map(columnFormat(values, options.decimals ?? 3));
  });
  const body = rows.map((_, i) => columns.map((column) => column[i]));
  const isNumeric = columns.map(isNumericColumn);
  const widths = names.map((name, i) => Math.max(name.length, ...body.map((line) => line[i].length)));
  const align = (line: string[]): string =>
    line
      .map((cell, i) => (isNumeric[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join("  ")
      .trimEnd();
  const more = all.length > rows.length ? `… and ${all.length - rows.length} more rows` : "";
  const tag = (line: string[], name: string): string =>
    `<tr>${line.map((cell, i) => `<${name} style="text-align:${isNumeric[i] ? "right" : "left"}">${escapeHtml(cell)}</${name}>`).join("")}</tr>`;
  return {
    text: [align(names), ...body.map(align), ...(more === "" ? [] : [more])].join("\n"),
    html: `<table><thead>${tag(names, "th")}</thead><tbody>${body.map((line) => tag(line, "td")).join("")}</tbody></table>${more}`,
  };
}

/** Shows an Arquero table, or a list of rows. */
export function showTable(table: TableLike | readonly object[], options: TableOptions = {}): void {
  const { text, html } = renderTable(table, options);
  show({ "text/html": html, "text/plain": text });
}

/** Shows Markdown. */
export function showMarkdown(markdown: string): void {
  show({ "text/markdown": markdown, "text/plain": markdown });
}
