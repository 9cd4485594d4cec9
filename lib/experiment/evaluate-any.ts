/**
 * Evaluation of anything that answers: a checkpoint, an adapter or an endpoint, on a benchmark or a file of questions.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { questionsOfFile } from "../benchmark/questions";
import type { QuestionSet, Split } from "../benchmark/types";
import type { Setting } from "../benchmark/prompts";
import { disposeTree } from "../engine/tree";
import { endpointAnswerer, type Answerer } from "../eval/answerers";
import { benchAnswerer } from "../eval/bench-answerer";
import { runEvaluation, type RunResult } from "../eval/runner";
import { loadAdapter } from "../model/adapter";
import { loadModel } from "../model/checkpoint";
import type { ChatEndpoint } from "../rollout/chat-endpoint";
import { fingerprint } from "../util/hash";
import { answerGeneration, evaluationBench, questionsOfWorld } from "./evaluate";
import { codeHash } from "./identity";
import { limitsOf } from "./images";
import { modelFolder } from "./model-folder";
import type { Watch } from "./stage";
import type { Experiment } from "./types";

/** What is asked. */
export interface Asked {
  setting: Setting;
  splits?: readonly Split[];
  /** A file of questions in place of the benchmark's. */
  file?: string;
  /** The folder that a file's image paths count from. */
  root?: string;
  question?: string;
}

/** The questions of an experiment's settings, or of a file. */
export async function askedQuestions(experiment: Experiment, asked: Asked): Promise<QuestionSet> {
  const { settings } = experiment;
  const { setting, splits, file, root, question } = asked;
  if (file === undefined) return questionsOfWorld(experiment, { setting, splits, question });
  const { optionOrder, limit } = settings.eval;
  const split = splits?.length === 1 ? splits[0] : undefined;
  const { seed, onBadRow } = settings;
  return questionsOfFile({ file, root, setting, split, seed, optionOrder, limit, onBadRow });
}

/** How answers are kept. */
export interface AnswerOptions extends Watch {
  /** The predictions file; a run that was ended goes on with it. */
  out: string;
  method: string;
  /** Ask for reasoning first, or for the answer only. */
  reason: boolean;
  restart?: boolean;
}

/** Asks one answerer. */
function answered(
  { settings, prompts }: Pick<Experiment, "settings" | "prompts">,
  { questions, answerer }: { questions: QuestionSet; answerer: Answerer },
  { out, method, reason, restart, onProgress, signal }: AnswerOptions,
): Promise<RunResult> {
  return runEvaluation(questions, answerer, {
    out,
    method,
    seed: settings.seed,
    prompts,
    reason,
    maxNewTokens: settings.eval.maxNewTokens,
    onBadRow: settings.onBadRow,
    restart,
    signal,
    onProgress: (done, total) => onProgress?.(done, total, "rows answered"),
  });
}

/** Answers of the experiment's model, with an adapter where one is given. @throws Error naming what cannot be used */
export async function evaluateModel(
  experiment: Experiment,
  questions: QuestionSet,
  { adapter, anyImages, ...options }: AnswerOptions & { adapter?: string; anyImages?: boolean },
): Promise<RunResult> {
  const { settings, config, bf16 } = experiment;
  const { maxNewTokens, batchSize } = settings.eval;
  const { bench, questions: asked } = await evaluationBench(experiment, questions.questions, { anyImages });
  if (adapter !== undefined && !existsSync(path.join(path.resolve(adapter), "adapter_config.json")))
    throw new Error(
      `--adapter ${adapter}: no adapter_config.json there; name a folder of PEFT's files, such as sft and rl leave in a run's adapters/ with --set lora.rank=16`,
    );
  const { params: base } = loadModel(modelFolder(settings), { dtype: "auto" });
  let params = base;
  try {
    if (adapter !== undefined) params = { ...base, ...loadAdapter(path.resolve(adapter), config).params };
    const answerer = benchAnswerer(params, bench, {
      identity: {
        model: fingerprint(modelFolder(settings)),
        adapter: adapter === undefined ? null : fingerprint(path.resolve(adapter)),
        code: codeHash(),
        bf16,
        limits: limitsOf(settings.eval),
        repetition_penalty: answerGeneration(experiment, anyImages).repetitionPenalty ?? null,
        prompts: settings.prompts,
      },
      seed: settings.seed,
      maxNewTokens,
      batchSize,
      generation: answerGeneration(experiment, anyImages),
    });
    return await answered(experiment, { questions: { ...questions, questions: asked }, answerer }, options);
  } finally {
    disposeTree(params);
  }
}

/** Answers of an endpoint; no model is loaded here. */
export function evaluateEndpoint(
  home: Pick<Experiment, "settings" | "prompts">,
  questions: QuestionSet,
  {
    endpoint,
    baseUrl,
    inFlight,
    ...options
  }: AnswerOptions & { endpoint: ChatEndpoint; baseUrl: string; inFlight: number },
): Promise<RunResult> {
  const { maxNewTokens, maxPixels } = home.settings.eval;
  const answerer = endpointAnswerer(endpoint, {
    maxNewTokens,
    maxPixels: maxPixels > 0 ? maxPixels : undefined,
    inFlight,
    baseUrl,
    signal: options.signal,
  });
  return answered(home, { questions, answerer }, options);
}
