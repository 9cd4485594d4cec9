/** What cells show: figures, images, tables and text. Outside a notebook the text form is printed. */
import { currentKernel, type MimeBundle } from "./kernel";
import { escapeHtml } from "../util/escape-html";
import { visibleText } from "../util/visible-text";
import { imageHtml, imageStrip, type ImageStripOptions } from "./image-strip";
import { tableCells, type TableLike, type TableOptions } from "./table-cells";

/**
 * Shows a bundle; its `text/plain` is what appears where nothing richer can, control characters in it shown as
 * `\u001b`.
 * @param metadata by MIME type: `{ "image/png": { alt } }` is what nbconvert says of a picture
 */
export function show(bundle: MimeBundle & { "text/plain": string }, metadata?: Record<string, unknown>): void {
  const kernel = currentKernel();
  const text = visibleText(bundle["text/plain"]);
  if (kernel) kernel.display({ ...bundle, "text/plain": text }, { metadata });
  else console.log(text);
}

/**
 * An attribute of an element that has the focus and keys of its own, such as a radio button or a box to scroll:
 * JupyterLab otherwise takes the arrow keys, and letters, for its commands.
 */
export const OWN_KEYS = 'data-lm-suppress-shortcuts="true"';

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
 * Shows images side by side as one picture, with captions below; the captions are also its text alternative. JupyterLab
 * gives a PNG none, so it gets HTML first; nbconvert reads the one in the PNG's metadata.
 *
 * @param images PNG, JPEG or WebP bytes, or paths
 */
export async function showImages(images: (Buffer | string)[], options: ImageStripOptions = {}): Promise<void> {
  const captions = options.captions ?? [];
  const alt = `${images.length} image${images.length === 1 ? "" : "s"}${captions.length > 0 ? `: ${captions.join(" | ")}` : ""}`;
  const text = `[${alt}]`;
  if (!currentKernel()) return show({ "text/plain": text });
  const png = await imageStrip(images, options);
  const bundle = { "text/html": imageHtml(png, alt), "image/png": png.toString("base64"), "text/plain": text };
  show(bundle, { "image/png": { alt } });
}

/** A table as aligned text and as HTML; numbers to the right. */
export function renderTable(
  table: TableLike | readonly object[],
  options: TableOptions = {},
): { text: string; html: string } {
  const { names, cells: body, isNumeric, left } = tableCells(table, options);
  const widths = names.map((name, i) => Math.max(name.length, ...body.map((line) => line[i].length)));
  const align = (line: string[]): string =>
    line
      .map((cell, i) => (isNumeric[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join("  ")
      .trimEnd();
  const more = left > 0 ? `… and ${left} more rows` : "";
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
