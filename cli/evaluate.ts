/** `evaluate`: a model, an adapter or an endpoint on any benchmark, to a predictions file that `score` reads. */
import * as path from "node:path";
import { questionsOfFile } from "../lib/benchmark/questions";
import type { QuestionSet } from "../lib/benchmark/types";
import type { RunResult } from "../lib/eval/runner";
import { scoreRows } from "../lib/eval/score";
import { askedQuestions, evaluateEndpoint, evaluateModel, type AnswerOptions } from "../lib/experiment/evaluate-any";
import type { Settings } from "../lib/experiment/settings";
import { createChatEndpoint } from "../lib/rollout/chat-endpoint";
import { repositoryRoot } from "../lib/util/root";
import type { EvaluateOptions } from "./commands/evaluate";
import { endpointAddress, endpointLimits } from "./endpoint";
import { settingsOf, withExperiment, withOpen } from "./experiment";
import { note, print, printJson } from "./output";
import { openForFile, promptsOf } from "./question-file";
import { evaluateOnRay, evaluatePart } from "./ray-evaluate";
import { installRay } from "./ray-install";
import { describeScores } from "./score";
import { UsageError } from "./values";

const word = (text: string): string => text.replace(/[^A-Za-z0-9_.-]+/g, "-").replace(/^[.-]+/, "") || "x";

/** Options that are settings of another name. */
function evaluationSettings(options: EvaluateOptions): Settings {
  const file = options.benchmark?.endsWith(".jsonl");
  const named: Record<string, unknown> = {
    prompts: options.prompts,
    precision: options.precision,
    "eval.role": options.role,
    "eval.optionOrder": options.optionOrder,
    "eval.limit": options.limit,
    "eval.maxNewTokens": options.maxNewTokens,
    "eval.batchSize": options.batchSize,
    "eval.minPixels": options.minPixels,
    "eval.maxPixels": options.maxPixels,
    "eval.repetitionPenalty": options.repetitionPenalty,
  };
  const set = Object.entries(named).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${String(value)}`],
  );
  // an endpoint is spoken to in the paper's words unless told otherwise
  const prompts = options.endpoint !== undefined && options.prompts === undefined ? ["prompts=paper"] : [];
  return settingsOf({ ...options, benchmark: file ? undefined : options.benchmark }, [...prompts, ...set]);
}

/** Name of the method, and the predictions file. */
function placesOf(options: EvaluateOptions, settings: Settings): { method: string; out: string } {
  const { modelName, adapter, setting, split } = options;
  const model = adapter ?? settings.model;
  const own = path.basename(path.resolve(model));
  const method =
    options.method ??
    word(modelName ?? (own === "model" || own === "adapter" ? path.basename(path.dirname(path.resolve(model))) : own));
  const names = (options.benchmark ?? settings.benchmark).split("+").map((one) => path.basename(one, ".jsonl"));
  const about = word(names.join("-"));
  const side = split === "both" ? "" : `-${split}`;
  const standard = path.join(
    repositoryRoot(),
    "data/runs/evaluate",
    `${word(method)}-${about}-${setting}${side}.jsonl`,
  );
  return { method, out: path.resolve(options.out ?? standard) };
}

/** Prints what came out. @returns exit code */
function report(options: EvaluateOptions, out: string, { rows, resumed, dropped, skipped }: RunResult): number {
  const { setting, json } = options;
  if (dropped) note(`${out}: a half-written last line was dropped, its row answered again`);
  for (const { where, reason } of skipped) note(`${where}: skipped: ${reason}`);
  const summary = { ...scoreRows(rows, setting!), skipped: skipped.length };
  const cut = rows.filter((row) => (row as { finished?: boolean }).finished === false).length;
  if (json) printJson({ out, resumed, cut, ...summary });
  else {
    print(describeScores(out, rows, setting!, summary).trimEnd());
    if (resumed > 0) print(`rows from an earlier run: ${resumed}`);
    if (cut > 0) print(`cut off before they ended: ${cut}`);
  }
  return skipped.length > 0 ? 2 : 0;
}

/**
 * @returns exit code: 0 where every row has its answer; 2 where rows were skipped
 * @throws Error where an option, the benchmark or the model is bad
 */
export async function run(options: EvaluateOptions): Promise<number> {
  if (options.installRay) return installRay();
  // not mandatory to commander, since --install-ray does without it
  if (options.setting === undefined) throw new UsageError("--setting is missing: closed or open");
  const { endpoint, adapter, benchmark, images, split, question, ray, rayTask } = options;
  if (endpoint !== undefined && ray !== undefined)
    throw new UsageError("--ray is for --model; an endpoint answers several questions at a time (--concurrency)");
  const settings = evaluationSettings(options);
  const { method, out } = placesOf(options, settings);
  const file = benchmark?.endsWith(".jsonl") ? benchmark : undefined;
  if (images !== undefined && file === undefined)
    throw new UsageError("--images is for a file of questions; --sets DIR says where image sets are");
  const splits = split === "both" ? undefined : [split];
  const setting = options.setting!;
  const check = (set: QuestionSet): QuestionSet => {
    if (set.questions.length === 0)
      throw new Error(
        `${benchmark ?? settings.benchmark}: no question can be asked (${set.skipped.length} rows skipped)` +
          (file === undefined ? `; images of the role ${settings.eval.role} were looked for (--role)` : ""),
      );
    return set;
  };
  const keep = { out, method, reason: !options.direct, restart: options.restart };
  const model: typeof evaluateModel = (experiment, set, answer) => {
    if (rayTask !== undefined) return evaluatePart(experiment, set, { ...answer, rayTask });
    if (ray !== undefined) return evaluateOnRay(experiment, set, { ...answer, command: options });
    return evaluateModel(experiment, set, answer);
  };
  if (file === undefined)
    return withExperiment(settings, method, async (experiment, watch) => {
      const questions = check(await askedQuestions(experiment, { setting, splits, question }));
      const answer = { ...watch, ...keep, adapter };
      if (endpoint !== undefined) return ask(options, experiment, questions, answer);
      return report(options, out, await model(experiment, questions, answer));
    });
  const { optionOrder, limit } = settings.eval;
  const { seed, onBadRow } = settings;
  const side = splits?.[0];
  const request = { file, root: images, setting, split: side, seed, optionOrder, limit, onBadRow };
  const questions = check(questionsOfFile(request));
  if (endpoint !== undefined) return ask(options, { settings, prompts: promptsOf(settings) }, questions, keep);
  return withOpen(openForFile(settings), method, async (experiment, watch) => {
    const answer = { ...watch, ...keep, adapter, anyImages: true };
    return report(options, out, await model(experiment, questions, answer));
  });
}

/** Asks the endpoint. @returns exit code */
async function ask(
  options: EvaluateOptions,
  home: Parameters<typeof evaluateEndpoint>[0],
  questions: QuestionSet,
  answer: AnswerOptions,
): Promise<number> {
  const { baseUrl, model } = endpointAddress(options);
  const limits = endpointLimits(options);
  const endpoint = createChatEndpoint({ baseUrl, model, ...limits });
  const result = await evaluateEndpoint(home, questions, {
    ...answer,
    endpoint,
    baseUrl,
    inFlight: limits.concurrency,
  });
  return report(options, answer.out, result);
}
