/** `evaluate`: a model, an adapter or an endpoint on any set, closed or open world, to a predictions file that `score` reads. */
import * as path from "node:path";
import { loadQuestions, type QuestionSet } from "../lib/benchmark/question-set";
import { paperPrompts, tinyPrompts } from "../lib/benchmark/prompts";
import { endpointAnswerer, modelAnswerer, type Answerer } from "../lib/eval/answerers";
import { runEvaluation, type RunResult } from "../lib/eval/runner";
import { scoreRows } from "../lib/eval/score";
import { repositoryRoot } from "../lib/util/root";
import { limitsOf } from "../lib/experiment/job";
import { progress, type Progress } from "../lib/report/progress";
import { createChatEndpoint } from "../lib/rollout/chat-endpoint";
import { chooseBenchmark, questionSource, type ChosenBenchmark } from "./benchmarks";
import type { EvaluateOptions } from "./commands/evaluate";
import { endpointAddress, endpointLimits } from "./endpoint";
import { note, print, printJson } from "./output";
import { chosenPrecision } from "./precision";
import { describeScores } from "./score";
import { UsageError } from "./values";

const word = (text: string): string => text.replace(/[^A-Za-z0-9_.-]+/g, "-").replace(/^[.-]+/, "") || "x";

/** @throws UsageError where it is not clear who answers */
function checkWhoAnswers({ model, adapter, endpoint, modelName }: EvaluateOptions): void {
  if (model === undefined && endpoint === undefined) throw new UsageError("--model or --endpoint is needed");
  if (adapter !== undefined && model === undefined)
    throw new UsageError("--adapter needs --model, the directory of the model it was trained on");
  if (modelName !== undefined && endpoint === undefined) throw new UsageError("--model-name belongs to --endpoint");
}

/** Who answers. The caller closes it. */
function answererOf(options: EvaluateOptions): Answerer {
  const { model, adapter, endpoint, maxNewTokens, batchSize, repetitionPenalty, dtype, concurrency } = options;
  const limits = limitsOf(options);
  if (endpoint === undefined)
    return modelAnswerer(model!, {
      adapter,
      maxNewTokens,
      limits,
      batchSize,
      repetitionPenalty,
      dtype,
      bf16: chosenPrecision(options),
    });
  return endpointAnswerer(createChatEndpoint({ ...endpointAddress(options), ...endpointLimits(options) }), {
    maxNewTokens,
    inFlight: concurrency,
    baseUrl: endpoint,
    maxPixels: limits.maxPixels,
  });
}

/** Name of the answers' method, and their file. */
function placeOf(options: EvaluateOptions, { name }: ChosenBenchmark): { method: string; out: string } {
  const { model, adapter, modelName, setting, split } = options;
  const method = options.method ?? word(modelName ?? path.basename(path.resolve(adapter ?? model!)));
  const file = `${word(method)}-${word(name)}-${setting}${split === "both" ? "" : `-${split}`}.jsonl`;
  return { method, out: path.resolve(options.out ?? path.join(repositoryRoot(), "data/runs/evaluate", file)) };
}

/** The questions. @throws Error where none can be asked */
async function questionsOf(options: EvaluateOptions, chosen: ChosenBenchmark): Promise<QuestionSet> {
  const { setting, split, seed, role, question, optionOrder, limit, onBadRow } = options;
  const source = questionSource(chosen, options.images);
  const asked = { setting, split, seed, role, question, optionOrder, limit, onBadRow };
  const questions = await loadQuestions({ ...source, ...asked });
  if (questions.questions.length === 0)
    throw new Error(`${options.benchmark}: no question can be asked (${questions.skipped.length} rows skipped)`);
  return questions;
}

/** What came out, for people or as JSON. */
function report(options: EvaluateOptions, out: string, { rows, resumed, skipped }: RunResult): void {
  const { setting, maxNewTokens } = options;
  const summary = { ...scoreRows(rows, setting), skipped: skipped.length };
  const cut = rows.filter((row) => (row as { finished?: boolean }).finished === false).length;
  if (options.json) {
    printJson({ out, resumed, cut, ...summary });
    return;
  }
  print(describeScores(out, rows, setting, summary).trimEnd());
  if (resumed > 0) print(`rows from an earlier run: ${resumed}`);
  if (cut > 0) print(`cut off at ${maxNewTokens} tokens: ${cut}`);
}

/**
 * Appends to the predictions file as answers come; run again after a kill it goes on where it stopped. Skipped rows go to
 * stderr with where they are; `--json` prints `{out, resumed, cut, n, skipped, substring, exact, listing}` on one line.
 * @returns exit code: 0 where every row has its answer; 2 where rows were skipped
 * @throws Error where an option, the set or the model is bad
 */
export async function run(options: EvaluateOptions): Promise<number> {
  checkWhoAnswers(options);
  if (options.endpoint !== undefined) endpointAddress(options);
  const chosen = chooseBenchmark(options.benchmark, options.sets);
  const { method, out } = placeOf(options, chosen);
  const questions = await questionsOf(options, chosen);
  const answerer = answererOf(options);
  try {
    let shown: Progress | null = null;
    const evaluated = await runEvaluation(questions, answerer, {
      out,
      method,
      seed: options.seed,
      prompts: options.prompts === "tiny" ? tinyPrompts : paperPrompts,
      reason: !options.direct,
      maxNewTokens: options.maxNewTokens,
      onBadRow: options.onBadRow,
      restart: options.restart,
      onProgress: (done, toDo) => {
        shown ??= progress(`${method} on ${questions.name}, ${options.setting}`, toDo);
        shown.update(done);
      },
    });
    (shown as Progress | null)?.finish();
    if (evaluated.dropped) note(`${out}: a half-written last line was dropped, its row answered again`);
    for (const { where, reason } of evaluated.skipped) note(`${where}: skipped: ${reason}`);
    report(options, out, evaluated);
    return evaluated.skipped.length > 0 ? 2 : 0;
  } finally {
    answerer.close();
  }
}
