/** What `npm run interop` found: docs/interop.json, and docs/interop.md from it. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { writeText } from "../../lib/util/files";
import { root } from "../environment";

/** One step on both sides. */
export interface Compared {
  step: number;
  loss: { theirs: number; here: number };
  gradNorm: { theirs: number; here: number };
  /** Of RL: the largest difference of a response token's log-prob. */
  logProb?: number;
}

/** One training of another engine beside this project's. */
export interface Training {
  engine: string;
  what: string;
  versions: Record<string, string>;
  /** Rows of a batch, scored tokens of the first. */
  rows: number;
  tokens: number;
  steps: Compared[];
  notes: string[];
}

/** The report. */
export interface Interop {
  /** Hash of the Python that was run (`scriptsHash`). */
  scripts: string;
  /** Allowed difference of the first loss. */
  tolerance: number;
  trainings: Training[];
  /** Engines that were not run, and why. */
  notRun: { engine: string; reason: string }[];
}

/** SHA-256 of the scripts that exports have: with others, the figures are of another program. */
export function scriptsHash(): string {
  const folder = path.join(root, "lib/export/python");
  const hash = createHash("sha256");
  for (const name of readdirSync(folder)
    .filter((one) => one.endsWith(".py"))
    .sort())
    hash.update(`${name}\0`).update(readFileSync(path.join(folder, name)));
  return hash.digest("hex");
}

export const reportFile = path.join(root, "docs/interop.json");
const pageFile = path.join(root, "docs/interop.md");

/** Difference of the first losses. */
export const firstDifference = ({ steps }: Training): number => Math.abs(steps[0].loss.theirs - steps[0].loss.here);

const shown = (value: number): string => value.toFixed(5);
const small = (value: number): string => (value === 0 ? "0" : value.toExponential(1));

function section({ engine, what, versions, rows, tokens, steps, notes }: Training): string {
  const scored = steps.some(({ logProb }) => logProb !== undefined);
  const head = [
    "step",
    "loss there",
    "loss here",
    "gradient norm there",
    "here",
    ...(scored ? ["log-prob, at most"] : []),
  ];
  const lines = steps.map(({ step, loss, gradNorm, logProb }) => [
    String(step),
    shown(loss.theirs),
    shown(loss.here),
    shown(gradNorm.theirs),
    shown(gradNorm.here),
    ...(scored ? [small(logProb ?? 0)] : []),
  ]);
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  return `## ${engine}: ${what}

${rows} rows a batch, ${tokens} scored tokens in the first. ${Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ")}.

${row(head)}${row(head.map((_, i) => (i === 0 ? "---" : "---:")))}${lines.map(row).join("")}
${notes.map((note) => `${note}\n`).join("\n")}`;
}

/** The page of a report. */
export function page({ tolerance, trainings, notRun }: Interop): string {
  return `# Other engines, run

Written by \`npm run interop\`, which exports the shipped tiny base with a few records and prompts, trains it with each
engine on this CPU, and trains the same here. The first losses differ by less than ${tolerance}. How exports are made and
what each engine does otherwise: [training-elsewhere.md](training-elsewhere.md).

${trainings.map(section).join("\n")}${notRun.length > 0 ? `\n## Not run\n\n${notRun.map(({ engine, reason }) => `- ${engine}: ${reason}\n`).join("")}` : ""}`;
}

/** Writes both. */
export function writeReport(report: Interop): void {
  writeText(reportFile, `${JSON.stringify(report, null, 1)}\n`);
  writeText(pageFile, page(report));
}
