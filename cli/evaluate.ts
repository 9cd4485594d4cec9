/** `evaluate`: a model, an adapter or an endpoint on any set, closed or open world, to a predictions file that `score` reads. */
import * as path from "node:path";
import { parseArgs } from "node:util";
import { loadQuestions } from "../lib/benchmark/question-set";
import { paperPrompts, tinyPrompts } from "../lib/benchmark/prompts";
import { endpointAnswerer, modelAnswerer, type Answerer } from "../lib/eval/answerers";
import { runEvaluation } from "../lib/eval/runner";
import { scoreRows } from "../lib/eval/score";
import { repositoryRoot } from "../lib/util/root";
import { canCompile } from "../lib/engine/native";
import { useBf16 } from "../lib/engine/precision";
import { limitsOf } from "../lib/experiment/job";
import { progress, type Progress } from "../lib/report/progress";
import { createChatEndpoint } from "../lib/rollout/chat-endpoint";
import { choiceOf, countOf, ENDPOINT_OPTIONS, endpointOptions, FLOAT_TYPES, numberOf, onBadRowOf } from "./arguments";
import { describeScores } from "./score";

const USAGE =
  "npm run -s fine-r1 -- evaluate (--model DIR [--adapter DIR] | --endpoint URL --model-name NAME) --set NAME|FILE.jsonl --setting closed|open [--split seen|unseen|both] [--root DIR] " +
  "[--out FILE] [--method NAME] [--prompts paper|tiny] [--direct] [--option-order shuffled|released] [--question TEXT] [--role dev|test] [--limit N] [--seed N] [--max-new-tokens N] [--batch-size N] [--min-pixels N] [--max-pixels N] " +
  "[--repetition-penalty R] [--dtype auto|float32|bfloat16] [--precision auto|float32|bfloat16] [--on-bad-row stop|skip] [--restart] [--json] [--concurrency N] [--requests-per-minute N] [--retries N] [--timeout S]";

const word = (text: string): string => text.replace(/[^A-Za-z0-9_.-]+/g, "-").replace(/^[.-]+/, "") || "x";

/**
 * Appends to the predictions file as answers come; run again after a kill it goes on where it stopped. Skipped rows go to
 * stderr with where they are; `--json` prints `{out, n, skipped, resumed, substring, exact, listing}` on one line.
 * @returns exit code: 0 where every row has its answer; 2 where rows were skipped; 1 where an argument, the set or the model is bad
 */
export async function run(args: string[]): Promise<number> {
  let answerer: Answerer | null = null;
  try {
    const text = { type: "string" } as const;
    const flag = { type: "boolean", default: false } as const;
    const { values } = parseArgs({
      args,
      options: {
        model: text,
        adapter: text,
        endpoint: text,
        "model-name": text,
        set: text,
        setting: text,
        split: text,
        root: text,
        out: text,
        method: text,
        prompts: text,
        direct: flag,
        "option-order": text,
        question: text,
        role: text,
        limit: text,
        seed: text,
        "max-new-tokens": text,
        "batch-size": text,
        "min-pixels": text,
        "max-pixels": text,
        "repetition-penalty": text,
        dtype: text,
        precision: text,
        "on-bad-row": text,
        restart: flag,
        json: flag,
        ...ENDPOINT_OPTIONS,
      },
    });
    const { model, adapter, endpoint, set } = values;
    if ((model === undefined) === (endpoint === undefined))
      throw new Error(`--model or --endpoint is needed, one of the two; ${USAGE}`);
    if (endpoint !== undefined && values["model-name"] === undefined)
      throw new Error(`--model-name is missing: the name the endpoint serves; ${USAGE}`);
    if (adapter !== undefined && model === undefined)
      throw new Error("--adapter needs --model, the directory of the model it was trained on");
    if (set === undefined) throw new Error(`--set is missing; ${USAGE}`);
    const setting = choiceOf("setting", values.setting, ["closed", "open"]);
    const onBadRow = onBadRowOf(values["on-bad-row"]);
    const seed = countOf("seed", values.seed, 0, 0);
    const maxNewTokens = countOf("max-new-tokens", values["max-new-tokens"], 2048);
    const prompts = choiceOf("prompts", values.prompts, ["paper", "tiny"], "paper");
    const split = choiceOf("split", values.split, ["seen", "unseen", "both"], "both");
    const method = values.method ?? word(values["model-name"] ?? path.basename(path.resolve(adapter ?? model!)));
    const out = path.resolve(
      values.out ??
        path.join(
          repositoryRoot(),
          "data/runs/evaluate",
          `${word(method)}-${word(path.basename(set, ".jsonl"))}-${setting}${split === "both" ? "" : `-${split}`}.jsonl`,
        ),
    );

    const questions = await loadQuestions({
      set,
      setting,
      split,
      root: values.root,
      seed,
      role: choiceOf("role", values.role, ["dev", "test"], "test"),
      question: values.question,
      optionOrder: choiceOf("option-order", values["option-order"], ["shuffled", "released"], "shuffled"),
      limit: countOf("limit", values.limit, 0, 0),
      onBadRow,
    });
    if (questions.questions.length === 0)
      throw new Error(`${set}: no question can be asked (${questions.skipped.length} rows skipped)`);
    const limits = limitsOf({
      minPixels: countOf("min-pixels", values["min-pixels"], 0, 0),
      maxPixels: countOf("max-pixels", values["max-pixels"], 0, 0),
    });
    if (endpoint === undefined) {
      const bf16 = useBf16(choiceOf("precision", values.precision, FLOAT_TYPES, "float32"));
      if (bf16 && !canCompile())
        throw new Error(
          "--precision bfloat16 needs the native engine: npm run -s fine-r1 -- doctor says why it is not there",
        );
      const dtype = choiceOf("dtype", values.dtype, FLOAT_TYPES, "auto");
      answerer = modelAnswerer(model!, {
        adapter,
        maxNewTokens,
        limits,
        batchSize: countOf("batch-size", values["batch-size"], 8),
        repetitionPenalty: numberOf("repetition-penalty", values["repetition-penalty"]),
        dtype,
        bf16,
      });
    } else {
      const reached = endpointOptions(values);
      answerer = endpointAnswerer(createChatEndpoint({ baseUrl: endpoint, model: values["model-name"]!, ...reached }), {
        maxNewTokens,
        inFlight: reached.concurrency,
        baseUrl: endpoint,
        maxPixels: limits.maxPixels,
      });
    }
    let shown: Progress | null = null;
    const { rows, resumed, dropped, skipped } = await runEvaluation(questions, answerer, {
      out,
      method,
      seed,
      prompts: prompts === "tiny" ? tinyPrompts : paperPrompts,
      reason: !values.direct,
      maxNewTokens,
      onBadRow,
      restart: values.restart,
      onProgress: (done, toDo) => {
        shown ??= progress(`${method} on ${questions.name}, ${setting}`, toDo);
        shown.update(done);
      },
    });
    (shown as Progress | null)?.finish();
    if (dropped) process.stderr.write(`${out}: a half-written last line was dropped, its row answered again\n`);
    for (const { where, reason } of skipped) process.stderr.write(`${where}: skipped: ${reason}\n`);
    const summary = { ...scoreRows(rows, setting), skipped: skipped.length };
    const cut = rows.filter((row) => (row as { finished?: boolean }).finished === false).length;
    if (values.json) process.stdout.write(`${JSON.stringify({ out, resumed, cut, ...summary })}\n`);
    else
      process.stdout.write(
        `${describeScores(out, rows, setting, summary)}${resumed > 0 ? `rows from an earlier run: ${resumed}\n` : ""}${cut > 0 ? `cut off at ${maxNewTokens} tokens: ${cut}\n` : ""}`,
      );
    return skipped.length > 0 ? 2 : 0;
  } catch (error) {
    process.stderr.write(`evaluate: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    answerer?.close();
  }
}
