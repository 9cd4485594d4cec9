/** The README's generated blocks; that of the results is made from the committed files in `figures/` alone. */
import { readFileSync } from "node:fs";
import * as path from "node:path";
import * as aq from "arquero";
import { toMarkdown, withLabels, type TableRow } from "./tables";

/** The lines around each block. */
const MARKS = {
  results: ["<!-- results: made by `npm run refresh`, checked by `npm test` -->", "<!-- end of results -->"],
  bench: ["<!-- bench: made by `npm run bench`, checked by `npm test` -->", "<!-- end of bench -->"],
} as const;
export type BlockName = keyof typeof MARKS;

interface MethodCell {
  method: string;
  cell: string;
  accuracy: number | null;
  low: number | null;
  high: number | null;
}

/** The table of `methods.csv` in Markdown, and the stamp of what it came from. */
export function resultsBlock(figures: string): string {
  const csv = readFileSync(path.join(figures, "methods.csv"), "utf8");
  const stamp = JSON.parse(readFileSync(path.join(figures, "methods.stamp.json"), "utf8")) as { stamp: string };
  const cells = aq.fromCSV(csv).objects() as MethodCell[];
  const percent = (x: number | null): string => (x === null ? "-" : (100 * x).toFixed(1));
  const rows = new Map<string, TableRow>();
  for (const { method, cell, accuracy, low, high } of cells) {
    const row = rows.get(method) ?? { method };
    row[cell] = `${percent(accuracy)} [${percent(low)}, ${percent(high)}]`;
    rows.set(method, row);
  }
  return `${toMarkdown(withLabels([...rows.values()]))}\nFrom \`figures/results.csv\`; stamp of code, settings and data: \`${stamp.stamp.slice(0, 16)}\`.\n`;
}

/** Where a block's text begins and ends. @throws Error where the markers are missing or out of order */
function placeOf(readme: string, name: BlockName): [number, number] {
  const [begin, end] = MARKS[name];
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)];
  if (from < 0 || to < from)
    throw new Error(`README.md: the markers "${begin}" and "${end}" are missing or out of order`);
  return [from + begin.length + 1, to];
}

/** The README with a block replaced. @throws Error where its markers are missing */
export function replaceBlock(readme: string, name: BlockName, block: string): string {
  const [from, to] = placeOf(readme, name);
  return `${readme.slice(0, from)}${block}${readme.slice(to)}`;
}

/** A block of a README. @throws Error where its markers are missing */
export function readBlock(readme: string, name: BlockName): string {
  return readme.slice(...placeOf(readme, name));
}
