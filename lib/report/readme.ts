/** The README's results block, made from the committed files in `figures/` alone. */
import { readFileSync } from "node:fs";
import * as path from "node:path";
import * as aq from "arquero";
import { toMarkdown, withLabels, type TableRow } from "./tables";

const BEGIN = "<!-- results: made by `npm run refresh`, checked by `npm test` -->";
const END = "<!-- end of results -->";

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

/** The README with its results block replaced. @throws Error where the markers are missing */
export function replaceResults(readme: string, block: string): string {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`README.md: the markers "${BEGIN}" and "${END}" are missing or out of order`);
  return `${readme.slice(0, begin + BEGIN.length)}\n${block}${readme.slice(end)}`;
}

/** The results block of a README. */
export function readResults(readme: string): string {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`README.md: the markers "${BEGIN}" and "${END}" are missing or out of order`);
  return readme.slice(begin + BEGIN.length + 1, end);
}
