/** What `npm run interop` found: docs/interop.json, and docs/interop.md from it. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { writeText } from "../../lib/util/files";
import { root } from "../environment";
import type { ComparedAnswers } from "./answers";
import type { RolloutRun } from "./vllm-rollouts";

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

/** A model that another engine served, beside `serve`. */
export interface ServedModel extends ComparedAnswers {
  model: string;
}

/** An engine that serves. */
export interface Served {
  engine: string;
  versions: Record<string, string>;
  models: ServedModel[];
  /** `evaluate --endpoint` beside `evaluate --adapter`: predictions that are the same text. */
  evaluate: { questions: number; same: number };
  /** `cot` with it as the teacher: images described, rationales that it wrote, records kept. */
  cot: { images: number; rationales: number; records: number };
  /** `rl --rollouts` with it. */
  rollouts: RolloutRun[];
}

/** What came of some engines. */
export interface Found {
  trainings: Training[];
  served: Served[];
  /** Engines that were not run, and why. */
  notRun: { engine: string; reason: string }[];
}

/** The report. */
export interface Interop extends Found {
  /** Hash of the Python that was run (`scriptsHash`). */
  scripts: string;
  /** Allowed difference of the first loss, and of a served token's log-prob. */
  tolerance: number;
}

/** Engines in the order of the page. */
export const ENGINES = ["TRL", "LLaMA-Factory", "ms-swift", "vLLM", "EasyR1", "verl"] as const;
export type Engine = (typeof ENGINES)[number];

/** `now` in place of what `before` says of an engine; the others' results stay. */
export function merged(before: Found, now: Found, again: Engine): Found {
  const put = <T extends { engine: string }>(old: readonly T[], made: readonly T[]): T[] =>
    ENGINES.flatMap((one) => (again === one ? made : old).filter(({ engine }) => engine === one));
  return {
    trainings: put(before.trainings, now.trainings),
    served: put(before.served, now.served),
    notRun: put(before.notRun, now.notRun),
  };
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

const versionsText = (versions: Record<string, string>): string =>
  Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");

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

${rows} rows a batch, ${tokens} scored tokens in the first. ${versionsText(versions)}.

${row(head)}${row(head.map((_, i) => (i === 0 ? "---" : "---:")))}${lines.map(row).join("")}
${notes.map((note) => `${note}\n`).join("\n")}`;
}

function servedSection({ engine, versions, models, evaluate, cot, rollouts }: Served): string {
  const row = ({ model, questions, same, tokens, logProb }: ServedModel): string =>
    `| ${[model, `${same} of ${questions}`, tokens, small(logProb)].join(" | ")} |\n`;
  const partings = models.flatMap(({ model, parted }) =>
    parted.map(
      ({ question, token, lead }) =>
        `- ${model}: question ${question + 1} at token ${token + 1}, which was ahead of the next by ${small(lead)}\n`,
    ),
  );
  return `## ${engine}: a checkpoint and an adapter, served

${versionsText(versions)}.

| model | greedy answers equal | tokens | log-prob, at most |
| --- | ---: | ---: | ---: |
${models.map(row).join("")}
The same requests, with images, went to ${engine} and to \`fine-r1 serve\`, both in float32. Prompts were the same tokens; log-probs are compared up to where answers part${partings.length > 0 ? `:\n\n${partings.join("")}` : ", which none did.\n"}
\`evaluate --endpoint\` against it wrote ${evaluate.same} of ${evaluate.questions} predictions to the letter as \`evaluate --adapter\` does here. \`cot\` had it describe ${cot.images} images and write ${cot.rationales} rationales, of which ${cot.records} were kept: a model of 3 million parameters, asked in a large one's words, is no teacher.

### Rollouts

\`rl --rollouts\` took TAPO steps on responses that ${engine} sampled, in float32. How far a token's log-prob here is from the one that ${engine} drew it with (mean of absolute values):

| weights | steps | tokens | first step | last step |
| --- | ---: | ---: | ---: | ---: |
${rollouts.map(({ what, steps, tokens, first, last }) => `| ${[what, steps, tokens, small(first), small(last)].join(" | ")} |\n`).join("")}`;
}

/** The page of a report. */
export function page({ tolerance, trainings, served, notRun }: Interop): string {
  return `# Other engines, run

Written by \`npm run interop\`, which exports the shipped tiny base with a few records and prompts, trains it with each
engine on this CPU, and trains the same here; and which has vLLM answer what \`serve\` answers here. The first losses, and
log-probs of what is served, differ by less than ${tolerance}. How exports are made and what each engine does otherwise:
[training-elsewhere.md](training-elsewhere.md); serving with vLLM: [serving.md](serving.md#with-vllm).

${[...trainings.map(section), ...served.map(servedSection)].join("\n")}${notRun.length > 0 ? `\n## Not run\n\n${notRun.map(({ engine, reason }) => `- ${engine}: ${reason}\n`).join("")}` : ""}`;
}

/** Writes both. */
export function writeReport(report: Interop): void {
  writeText(reportFile, `${JSON.stringify(report, null, 1)}\n`);
  writeText(pageFile, page(report));
}
