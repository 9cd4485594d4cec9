/** What `npm run cluster-check` found: docs/cluster.json, and two places of docs/cluster.md from it. */
import { existsSync, readFileSync } from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { codeHash } from "../../lib/experiment/identity";
import { hashCode } from "../../lib/util/code-hash";
import { readJson, writeText } from "../../lib/util/files";
import { root } from "../environment";

/** One thing that was looked at. */
export interface Finding {
  what: string;
  good: boolean;
  details: string;
}

/** Of what and where something was found. */
export interface Circumstances {
  date: string;
  /** Hash of the code that results depend on (`codeHash`), and of `lib/cluster` (`clusterHash`). */
  code: string;
  cluster: string;
  processor: string;
}

/** `npm run cluster-check`. */
export interface CheckReport extends Circumstances {
  seconds: number;
  findings: Finding[];
}

/** `npm run cluster-check -- --speed`. */
export interface SpeedReport extends Circumstances {
  variants: string[];
  /** RL updates of each variant that has Stage 2. */
  steps: number;
  /** Seconds of the sweep on one node and on two. */
  one: number;
  two: number;
}

/** What was run. */
export interface ClusterReport {
  check?: CheckReport;
  speed?: SpeedReport;
}

/** Two nodes are to be at least so many times as fast as one. */
export const LEAST_SPEED_UP = 1.7;
export const speedUp = ({ one, two }: Pick<SpeedReport, "one" | "two">): number => one / two;

/** Hash of what spreads the work: with another, a report is of another program. */
export const clusterHash = (): string => hashCode(["lib/cluster"]);

export const circumstances = (): Circumstances => ({
  date: new Date().toISOString().slice(0, 10),
  code: codeHash(),
  cluster: clusterHash(),
  processor: os.cpus()[0]?.model ?? "unknown",
});

export const reportFile = path.join(root, "docs/cluster.json");
export const pageFile = path.join(root, "docs/cluster.md");

/** What was found so far; nothing where there is no file. */
export const readReport = (): ClusterReport => (existsSync(reportFile) ? (readJson(reportFile) as ClusterReport) : {});

const NOT_RUN = "Not run yet.\n";
const madeOf = ({ date, code, processor }: Circumstances): string =>
  `${date}, ${processor}, code \`${code.slice(0, 12)}\``;

/** Text of each place of the page. */
const PLACES: Readonly<Record<keyof ClusterReport, (report: ClusterReport) => string>> = {
  check: ({ check }) =>
    check === undefined
      ? NOT_RUN
      : `Last run: ${madeOf(check)}, ${Math.round(check.seconds)} s.\n\n${check.findings
          .map(({ what, good, details }) => `- ${good ? "" : "**wrong:** "}${what} (${details})\n`)
          .join("")}`,
  speed: ({ speed }) =>
    speed === undefined
      ? NOT_RUN
      : `Last run: ${madeOf(speed)}: ${speed.one.toFixed(0)} s on one node, ${speed.two.toFixed(0)} s on two, ${speedUp(speed).toFixed(2)} times as fast (${speed.variants.join(", ")}; ${speed.steps} RL updates each).\n`,
};

const marks = (name: keyof ClusterReport): [string, string] => [
  `<!-- cluster ${name}: from docs/cluster.json, checked by \`npm test\` -->\n<!-- prettier-ignore-start -->\n\n`,
  `\n<!-- prettier-ignore-end -->\n<!-- end of cluster ${name} -->`,
];

/** The page with what a report says. @throws Error where the lines around a place are missing */
export function pageWith(page: string, report: ClusterReport): string {
  return (Object.keys(PLACES) as (keyof ClusterReport)[]).reduce((text, name) => {
    const [begin, end] = marks(name);
    const from = text.indexOf(begin) + begin.length;
    const to = text.indexOf(end, from);
    if (from < begin.length || to < 0)
      throw new Error(`docs/cluster.md: the lines around "cluster ${name}" are missing:\n${begin}…${end}`);
    return `${text.slice(0, from)}${PLACES[name](report)}${text.slice(to)}`;
  }, page);
}

/** Writes what was found in place of what was there of its kind. */
export function record(found: ClusterReport): void {
  const report = { ...readReport(), ...found };
  writeText(reportFile, `${JSON.stringify(report, null, 1)}\n`);
  writeText(pageFile, pageWith(readFileSync(pageFile, "utf8"), report));
}
