/** `data rows FILE`, and `data check [SET] [--root DIR] [--decode] [--on-bad-row stop|skip] [--json]`: what of the image sets is on disk, and where to get the rest. */
import { existsSync, readdirSync } from "node:fs";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { SET_NAMES, setsFolder, type OnBadRow } from "../lib/benchmark/photographs";
import { checkImageSet, type SetReport, type SideReport } from "../lib/benchmark/photographs/check";
import { onBadRowOf } from "./arguments";
import { readRowsReport } from "./data-rows";

const USAGE =
  "npm run -s fine-r1 -- data check [SET] [--root DIR] | data rows FILE, both with [--decode] [--on-bad-row stop|skip] [--json]";
const SHOWN = 5;

const listed = (items: readonly string[]): string[] => [
  ...items.slice(0, SHOWN).map((item) => `    ${item}`),
  ...(items.length > SHOWN ? [`    … and ${items.length - SHOWN} more (--json has all)`] : []),
];

function sideLine(name: string, side: SideReport): string {
  const { released } = side;
  const rows =
    released === null
      ? ""
      : `; released rows ${released.rows}: ${released.missing} without their image, ${released.disagree} under another name`;
  return `  ${name}: ${side.subcategories} sub-categories (paper ${side.paperSubcategories}), ${side.testImages} test images (paper ${side.paperTestImages})${rows}`;
}

/** A report for people. */
export function describeReport(report: SetReport): string {
  const { source, problem, badRows, portions, subcategories, missing, unreadable, duplicates, leaks, split } = report;
  const lines = [`${report.set}: ${report.title}: ${report.status}`, `  at ${report.root}`];
  if (source && report.status !== "whole")
    lines.push(
      `  get it from ${source.publisher}, "${source.page}", ${source.url}`,
      `  as the publisher packs it: ${source.unpack}`,
    );
  if (problem !== null) lines.push(`  ${problem}`);
  if (report.status === "absent" || report.status === "broken") return lines.join("\n");
  const counts = Object.entries(portions).filter(([, { listed: n, published }]) => n > 0 || (published ?? 0) > 0);
  lines.push(
    `  sub-categories: ${subcategories.listed}${subcategories.published === null ? "" : ` (published ${subcategories.published})`}`,
  );
  for (const [portion, { found, listed: n, published }] of counts)
    lines.push(`  ${portion}: ${found} of ${n} listed images${published === null ? "" : ` (published ${published})`}`);
  if (badRows.length > 0)
    lines.push(
      `  rows skipped: ${badRows.length}`,
      ...listed(badRows.map(({ file, line, reason }) => `${file}, line ${line}: ${reason}`)),
    );
  if (missing.length > 0) lines.push(`  missing: ${missing.length}`, ...listed(missing));
  if (unreadable.length > 0)
    lines.push(
      `  unreadable: ${unreadable.length}`,
      ...listed(unreadable.map((image) => `${image.path}: ${image.reason}`)),
    );
  if (duplicates.length > 0)
    lines.push(
      `  the same bytes: ${duplicates.length} groups, ${leaks.length} of them across training and test`,
      ...listed([...leaks, ...duplicates.filter((group) => !leaks.includes(group))].map((group) => group.join(" = "))),
    );
  if (split) lines.push(`  split: ${split.source}`, sideLine("seen", split.seen), sideLine("unseen", split.unseen));
  return lines.join("\n");
}

/** Reports on one file; what is bad goes to stderr. */
async function rows(file: string, onBadRow: OnBadRow, decode: boolean, json: boolean): Promise<number> {
  const report = await readRowsReport(file, onBadRow, decode);
  for (const line of report.bad) process.stderr.write(`${line}\n`);
  process.stdout.write(
    json
      ? `${JSON.stringify(report)}\n`
      : `${file}: ${report.format}, ${report.rows} rows, ${report.skipped} skipped\n`,
  );
  return report.skipped > 0 || report.rows === 0 ? 2 : 0;
}

/**
 * Without SET all six, and any other folder below the root; `--root` is then the folder of all sets, with SET that set's own.
 * A SET that is none of the six is read as a folder per class. `--decode` reads every image whole, which takes minutes a set; without it
 * an image that is cut off after its header passes.
 * @returns exit code: 0 where every set asked for is whole; 1 where an argument is wrong; 2 where a set is absent, broken or incomplete, or rows are bad
 */
export async function run(args: string[]): Promise<number> {
  let names: string[];
  let rootOf: (name: string) => string;
  let json: boolean;
  let decode: boolean;
  let onBadRow: OnBadRow;
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        root: { type: "string" },
        json: { type: "boolean", default: false },
        decode: { type: "boolean", default: false },
        "on-bad-row": { type: "string" },
      },
    });
    const [verb, set, ...rest] = positionals;
    if (verb === "rows" && set !== undefined && rest.length === 0)
      return await rows(set, onBadRowOf(values["on-bad-row"]), values.decode!, values.json!);
    if (verb !== "check" || rest.length > 0)
      throw new Error(`${verb === undefined ? "nothing to do" : `"${positionals.join(" ")}" is not known`}; ${USAGE}`);
    if (set !== undefined && !/^\w[\w.-]*$/.test(set))
      throw new Error(`the set "${set}": letters, digits, -, _ and . only; ${USAGE}`);
    if (values.root !== undefined && !existsSync(values.root)) throw new Error(`--root ${values.root}: no such folder`);
    const base = path.resolve(values.root ?? setsFolder());
    const others =
      set === undefined && existsSync(base)
        ? readdirSync(base, { withFileTypes: true })
            .filter(
              (entry) =>
                entry.isDirectory() &&
                !entry.name.startsWith(".") &&
                !(SET_NAMES as readonly string[]).includes(entry.name),
            )
            .map((entry) => entry.name)
            .sort()
        : [];
    names = set === undefined ? [...SET_NAMES, ...others] : [set];
    rootOf = (name) => (set !== undefined && values.root !== undefined ? base : path.join(base, name));
    json = values.json!;
    decode = values.decode!;
    onBadRow = onBadRowOf(values["on-bad-row"]);
  } catch (error) {
    process.stderr.write(`data: ${(error as Error).message}\n`);
    return 1;
  }
  const reports: SetReport[] = [];
  for (const name of names) {
    const report = await checkImageSet(name, rootOf(name), { decode, onBadRow });
    reports.push(report);
    if (!json) process.stdout.write(`${describeReport(report)}\n\n`);
  }
  if (json) process.stdout.write(`${JSON.stringify(reports, null, 1)}\n`);
  return reports.every((report) => report.status === "whole") ? 0 : 2;
}
