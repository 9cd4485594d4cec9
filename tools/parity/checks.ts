/** What the parity suite measures, as a table and as a file. */
import * as path from "node:path";
import { writeText } from "../../lib/util/files";

/** One comparison: the worst value found, and what it may be at most. */
export interface Check {
  /** What is compared, and in which unit. */
  check: string;
  worst: number;
  tolerance: number;
}

/** The checks of one model, adapter or file. */
export interface Section {
  name: string;
  checks: Check[];
  /** Facts that nothing hangs on. */
  notes?: string[];
}

/** Checks that fail, NaN among them. */
export const violations = (checks: readonly Check[]): Check[] =>
  checks.filter(({ worst, tolerance }) => !(worst <= tolerance));

const number = (x: number): string => (Number.isInteger(x) ? String(x) : x.toPrecision(2));

/** A section as lines of a table. */
export function sectionLines({ name, checks, notes = [] }: Section): string[] {
  const line = ({ check, worst, tolerance }: Check): string =>
    `  ${worst <= tolerance ? "ok  " : "FAIL"} ${check.padEnd(66)} ${number(worst).padStart(9)}  at most ${number(tolerance)}`;
  return [name, ...checks.map(line), ...notes.map((note) => `       ${note}`)];
}

/** Where the last run's report is. */
export const reportFile = path.join(__dirname, "../../test/parity/report.json");

/** Writes the report. @param versions packages of both sides by name */
export function writeReport(sections: readonly Section[], versions: Record<string, string>): void {
  const failed = sections.reduce((n, { checks }) => n + violations(checks).length, 0);
  writeText(
    reportFile,
    `${JSON.stringify({ date: new Date().toISOString().slice(0, 10), versions, failed, sections }, null, 1)}\n`,
  );
}
