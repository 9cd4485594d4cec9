/** `evaluate` on a Ray cluster: parts of its rows as tasks, one of these tasks, and the file that they come to. */
import { rmSync } from "node:fs";
import * as path from "node:path";
import type { QuestionSet } from "../lib/benchmark/types";
import { runEvaluation, type RunResult } from "../lib/eval/runner";
import { numbered, partsAnswerer, skippedFile, type EvaluatedPart } from "../lib/cluster/parts-answerer";
import { finishedRows, openParts } from "../lib/cluster/open-parts";
import { parsePart, partText, partsOf, sliceOf } from "../lib/cluster/part";
import type { ClusterTask } from "../lib/cluster/plan";
import { checkCode } from "../lib/cluster/same-code";
import { checkProducts } from "../lib/cluster/same-products";
import { evaluateModel, type AnswerOptions } from "../lib/experiment/evaluate-any";
import { evaluationBench } from "../lib/experiment/evaluate";
import type { Experiment } from "../lib/experiment/types";
import { writeText } from "../lib/util/files";
import { command, type EvaluateOptions } from "./commands/evaluate";
import { placeOnNodes, runOnRay, sharedWords } from "./ray";

/** How a model is asked. */
type ModelOptions = AnswerOptions & { adapter?: string; anyImages?: boolean };

/** One task: the rows of its part, and why those without an answer have none. */
export async function evaluatePart(
  experiment: Experiment,
  set: QuestionSet,
  { rayTask, ...options }: ModelOptions & { rayTask: string },
): Promise<RunResult> {
  checkCode();
  checkProducts(experiment.settings);
  const part = parsePart(rayTask);
  if (part === null) throw new Error(`--ray-task is ${JSON.stringify(rayTask)}; expected a part, such as 2/4`);
  const { from, to } = sliceOf(set.questions.length, experiment.settings.eval.batchSize, part);
  const own = { ...set, questions: set.questions.slice(from, to), skipped: [] };
  const result = await evaluateModel(experiment, own, options);
  writeText(skippedFile(options.out), `${JSON.stringify(result.skipped)}\n`);
  return result;
}

/** The rows that `out` lacks, by tasks that each leave a part of them beside it; then the one file. */
export async function evaluateOnRay(
  experiment: Experiment,
  set: QuestionSet,
  { command: given, ...options }: ModelOptions & { command: EvaluateOptions },
): Promise<RunResult> {
  const { settings, prompts } = experiment;
  const { out, method, reason, restart, anyImages, signal } = options;
  const { batchSize, maxNewTokens } = settings.eval;
  const folder = `${out}.parts`;
  if (restart) rmSync(folder, { recursive: true, force: true });
  const words = [...sharedWords(command, given, ["out", "restart", "method"]), `--method=${method}`];
  const all = partsOf(set.questions.length, batchSize, given.rayParts).map((part) => ({
    ...part,
    ...sliceOf(set.questions.length, batchSize, part),
    file: path.join(folder, `${part.part}-of-${part.of}.jsonl`),
  }));
  const parts = openParts(all, restart ? new Set() : finishedRows(out));
  if (parts.length === 0) {
    // nothing is asked: whether the rows answer what is asked for here is looked at as ever
    const result = await evaluateModel(experiment, set, options);
    rmSync(folder, { recursive: true, force: true });
    return result;
  }
  const tasks = parts.map((part): ClusterTask => ({
    id: `rows ${part.from + 1} to ${part.to}`,
    args: [...words, `--out=${placeOnNodes(part.file, given)}`, `--ray-task=${partText(part)}`],
    after: [],
    writes: [`${path.basename(part.file)}*`],
  }));
  const reads = options.adapter === undefined ? [] : [path.resolve(options.adapter)];
  await runOnRay(given, { folder, tasks, name: "evaluate", settings, reads, anew: restart, signal });
  const { questions } = await evaluationBench(experiment, set.questions, { anyImages });
  const result = await runEvaluation(
    { ...set, questions: numbered(questions) },
    partsAnswerer(questions, parts satisfies readonly EvaluatedPart[], batchSize),
    { out, method, seed: settings.seed, prompts, reason, maxNewTokens, onBadRow: settings.onBadRow, restart, signal },
  );
  rmSync(folder, { recursive: true, force: true });
  return result;
}
