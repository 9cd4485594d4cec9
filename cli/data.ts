/** `data rows` and `data check`: what of the image sets is on disk, and where to get the rest. */
import { existsSync, readdirSync } from "node:fs";
import * as path from "node:path";
import { isPublishedName, PUBLISHED_NAMES } from "../lib/formats/set-names";
import { setsFolder } from "../lib/benchmark/photographs";
import { detectSet } from "../lib/benchmark/photographs/layouts";
import { isClutter } from "../lib/benchmark/photographs/paths";
import { checkImageSet, type SetReport, type SideReport } from "../lib/benchmark/photographs/check";
import type { CheckOptions, RowsOptions } from "./commands/data";
import { readRowsReport } from "./data-rows";
import { note, print, printJson, snakeCase } from "./output";
import { UsageError } from "./values";

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

/** A set that is not there, in a line of the overview. */
const absentLine = ({ set, title, source }: SetReport): string =>
  `${set}: ${title}: absent${source ? `; "${source.page}", ${source.url}` : ""}`;

/** A report for people. */
export function describeReport(report: SetReport): string {
  const { source, problem, badRows, portions, subcategories, missing, unreadable, duplicates, leaks, division, split } =
    report;
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
  if (division)
    lines.push(`  split: ${division.seen} seen and ${division.unseen} unseen sub-categories (${division.source})`);
  if (split) lines.push(sideLine("seen", split.seen), sideLine("unseen", split.unseen));
  return lines.join("\n");
}

/** Reports on one file; what is bad goes to stderr. */
export async function rows({ onBadRow, decode, json }: RowsOptions, file: string): Promise<number> {
  const report = await readRowsReport(file, onBadRow, decode);
  report.bad.forEach((line) => note(line));
  if (json) printJson(snakeCase(report));
  else print(`${file}: ${report.format}, ${report.rows} rows, ${report.skipped} skipped`);
  return report.skipped > 0 || report.rows === 0 ? 2 : 0;
}

/**
 * The sets to look at, with their folders: `set`; else all published ones and any other folder in `sets`.
 * @throws Error
 */
function setsOf(sets: string | undefined, set: string | undefined): { name: string; root: string }[] {
  if (sets !== undefined && !existsSync(sets)) throw new Error(`--sets ${sets}: no such folder`);
  const base = path.resolve(sets ?? setsFolder());
  if (set !== undefined) {
    if (isPublishedName(set) || existsSync(path.join(base, set))) return [{ name: set, root: path.join(base, set) }];
    if (!existsSync(set))
      throw new UsageError(
        `no image set ${JSON.stringify(set)}: expected ${PUBLISHED_NAMES.join(", ")}, a folder in ${base}, or a path`,
      );
    return [{ name: detectSet(set) ?? path.basename(path.resolve(set)), root: set }];
  }
  const others = existsSync(base)
    ? readdirSync(base, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && !isClutter(entry.name) && !isPublishedName(entry.name))
        .map((entry) => entry.name)
        .sort()
    : [];
  return [...PUBLISHED_NAMES, ...others].map((name) => ({ name, root: path.join(base, name) }));
}

/**
 * A set without a reader of its own is read as a folder per class. `--decode` reads every image whole, which takes
 * minutes a set; without it an image that is cut off after its header passes.
 * @returns exit code: 0 where every set asked for is whole; 2 where a set is absent, broken or incomplete, or rows are
 * bad
 */
export async function check({ sets, decode, onBadRow, json }: CheckOptions, set?: string): Promise<number> {
  const reports: SetReport[] = [];
  for (const { name, root } of setsOf(sets, set)) {
    const report = await checkImageSet(name, root, { decode, onBadRow });
    reports.push(report);
    const isShort = set === undefined && report.status === "absent";
    if (!json) print(isShort ? absentLine(report) : `${describeReport(report)}\n`);
  }
  if (!json && set === undefined && reports.some(({ status }) => status === "absent"))
    print("How to get one of them, and where to put it: data check NAME");
  if (json) print(JSON.stringify(snakeCase(reports), null, 1));
  return reports.every((report) => report.status === "whole") ? 0 : 2;
}
