/**
 * The generated blocks of the documents: between two marker lines, which prettier leaves as they are. Those of the
 * results are made from the committed files in `figures/` alone; the study's is in `study-block.ts`, those of the
 * benchmark in `tools/bench-block.ts`, that of the torture in `tools/torture/figures-block.ts`.
 */
import { readFileSync } from "node:fs";
import * as path from "node:path";
import * as aq from "arquero";
import { writeText } from "../util/files";
import { toMarkdown, withLabels, type TableRow } from "./tables";

/** Each block's document, relative to the repository's root, and the command that makes it. */
export const BLOCKS = {
  results: { file: "docs/results.md", command: "npm run refresh" },
  "results in short": { file: "README.md", command: "npm run refresh" },
  "study in short": { file: "README.md", command: "npm run study" },
  bench: { file: "docs/benchmarks.md", command: "npm run bench" },
  "bench in short": { file: "README.md", command: "npm run bench" },
  reliability: { file: "docs/reliability.md", command: "npm run torture" },
} as const;
export type BlockName = keyof typeof BLOCKS;

/** The lines around a block. */
function marks(name: BlockName): { begin: string; end: string } {
  return {
    begin: `<!-- ${name}: made by \`${BLOCKS[name].command}\`, checked by \`npm test\` -->\n<!-- prettier-ignore-start -->\n\n`,
    end: `\n<!-- prettier-ignore-end -->\n<!-- end of ${name} -->`,
  };
}

interface MethodCell {
  method: string;
  cell: string;
  accuracy: number | null;
  low: number | null;
  high: number | null;
}

const percent = (x: number | null): string => (x === null ? "-" : (100 * x).toFixed(1));
const withInterval = ({ accuracy, low, high }: MethodCell): string =>
  `${percent(accuracy)} [${percent(low)}, ${percent(high)}]`;

/** Rows of `methods.csv`: methods down, cells across. */
function methodRows(figures: string, show: (cell: MethodCell) => string): TableRow[] {
  const cells = aq.fromCSV(readFileSync(path.join(figures, "methods.csv"), "utf8")).objects() as MethodCell[];
  const rows = new Map<string, TableRow>();
  for (const cell of cells) {
    const row = rows.get(cell.method) ?? { method: cell.method };
    row[cell.cell] = show(cell);
    rows.set(cell.method, row);
  }
  return withLabels([...rows.values()]);
}

/** The table of `methods.csv` with an interval in every cell, and the stamp of what it came from. */
export function resultsBlock(figures: string): string {
  const { stamp } = JSON.parse(readFileSync(path.join(figures, "methods.stamp.json"), "utf8")) as { stamp: string };
  const table = toMarkdown(methodRows(figures, withInterval));
  return `${table}\nFrom \`figures/results.csv\`; stamp of code, settings and data: \`${stamp.slice(0, 16)}\`.\n`;
}

/** The same table as the README shows it: an interval for the mean only. */
export function shortResultsBlock(figures: string): string {
  return toMarkdown(
    methodRows(figures, (cell) => (cell.cell === "mean" ? withInterval(cell) : percent(cell.accuracy))),
  );
}

/** Where a block's text begins and ends. @throws Error where the markers are missing or out of order */
function rangeOf(text: string, name: BlockName): [number, number] {
  const { begin, end } = marks(name);
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  if (from < 0 || to < 0)
    throw new Error(
      `${BLOCKS[name].file}: the lines around the block "${name}" are missing or out of order:\n${begin}…${end}`,
    );
  return [from + begin.length, to];
}

/** A document with a block replaced. @throws Error where its markers are missing */
export function replaceBlock(text: string, name: BlockName, block: string): string {
  const [from, to] = rangeOf(text, name);
  return `${text.slice(0, from)}${block}${text.slice(to)}`;
}

/** A block of a document. @throws Error where its markers are missing */
export function readBlock(text: string, name: BlockName): string {
  return text.slice(...rangeOf(text, name));
}

/** Writes blocks into their documents under `root`. @throws Error where markers are missing; then nothing is written */
export function writeBlocks(root: string, blocks: Partial<Record<BlockName, string>>): void {
  const documents = new Map<string, string>();
  for (const [name, block] of Object.entries(blocks) as [BlockName, string][]) {
    const file = path.join(root, BLOCKS[name].file);
    documents.set(file, replaceBlock(documents.get(file) ?? readFileSync(file, "utf8"), name, block));
  }
  for (const [file, text] of documents) writeText(file, text);
}
