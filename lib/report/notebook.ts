/** What cells show: figures, images, tables and text. Outside a notebook the text form is printed. */
import { currentKernel, type MimeBundle } from "./kernel";
import { imageStrip, type ImageStripOptions } from "./image-strip";

/** Shows a bundle; its `text/plain` is what appears where nothing richer can. */
export function show(bundle: MimeBundle & { "text/plain": string }): void {
  const kernel = currentKernel();
  if (kernel) kernel.display(bundle);
  else console.log(bundle["text/plain"]);
}

/** A Plotly figure as Plotly's own JSON has it. */
export interface PlotlyFigure {
  data: object[];
  layout?: { title?: string | { text?: string } } & Record<string, unknown>;
}

/**
 * Shows an interactive Plotly figure (JupyterLab draws it with pip's `plotly`, also in an untrusted notebook).
 *
 * @param png the same figure as a PNG, for viewers without Plotly such as GitHub
 */
export function showFigure(figure: PlotlyFigure, png?: Buffer): void {
  const title = figure.layout?.title;
  const name = typeof title === "string" ? title : (title?.text ?? "untitled");
  show({
    // A copy through JSON: typed arrays become lists, and later changes of the figure do not show.
    "application/vnd.plotly.v1+json": JSON.parse(JSON.stringify(figure, plainArrays)) as object,
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
  /** Decimals of numbers that are not whole, 3 unless given. */
  decimals?: number;
}

function cellText(value: unknown, decimals: number): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : value.toFixed(decimals);
  return typeof value === "object" ? JSON.stringify(value) : String(value as string | boolean | bigint);
}

const escapeHtml = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

/** A table as aligned text and as HTML; numbers to the right. */
export function renderTable(
  table: TableLike | readonly object[],
  options: TableOptions = {},
): { text: string; html: string } {
  const all = (Array.isArray(table) ? table : (table as TableLike).objects()) as Row[];
  const names = Array.isArray(table) ? Object.keys(all[0] ?? {}) : (table as TableLike).columnNames();
  const rows = all.slice(0, options.limit ?? 50);
  const body = rows.map((row) => names.map((name) => cellText(row[name], options.decimals ?? 3)));
  const isNumeric = names.map((name) => rows.length > 0 && rows.every((row) => typeof row[name] === "number"));
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
