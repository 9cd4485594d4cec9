/** Evaluation: a method's answers to the benchmark's questions, seen and unseen, closed and open world. */
import { rmSync } from "node:fs";
import * as path from "node:path";
import { limited, questionsOf } from "../benchmark/questions";
import type { Setting } from "../benchmark/prompts";
import type { Question, QuestionSet, Split } from "../benchmark/types";
import type { Params } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import { benchAnswerer } from "../eval/bench-answerer";
import { controlled, type ImageControl } from "../eval/controls";
import { manifestFile } from "../eval/prediction-log";
import type { PredictionRow } from "../eval/rows";
import { runEvaluation } from "../eval/runner";
import { loadModel } from "../model/checkpoint";
import type { GenerationConfig } from "../model/generation-config";
import { specialTokenIn, specialTokensOf } from "../processor/special-tokens";
import { METHODS, type Method, type RlMethod, type SftMethod } from "../train/methods";
import type { Workbench } from "../train/workbench";
import { readJsonl, writeJsonl } from "../util/files";
import { foldIn } from "../util/random";
import { limitsOf, openImages } from "./images";
import { modelFolder } from "./model-folder";
import { RL_PARTS, rlModel } from "./rl";
import type { Settings } from "./settings";
import { SFT_PARTS, sftModel } from "./sft";
import { runStage, type Watch } from "./stage";
import type { Experiment } from "./types";

/** Parameters of a method; the caller disposes them. */
export async function methodParams(experiment: Experiment, method: Method, watch: Watch = {}): Promise<Params> {
  const { stage } = METHODS[method];
  if (stage === "base") return loadModel(modelFolder(experiment.settings), { dtype: "auto" }).params;
  if (stage === "sft") return (await sftModel(experiment, method as SftMethod, watch)).params;
  return (await rlModel(experiment, method as RlMethod, watch)).params;
}

/** Settings, and groups of them, that a method's model depends on. */
const PARTS: Readonly<Record<(typeof METHODS)[Method]["stage"], readonly (keyof Settings)[]>> = {
  base: [],
  sft: SFT_PARTS,
  rl: RL_PARTS,
};

/** The questions of one world, by the settings; `eval.limit` of them at random. */
export async function questionsOfWorld(
  { benchmark, settings, neighbours }: Pick<Experiment, "benchmark" | "settings" | "neighbours">,
  asked: { setting: Setting; splits?: readonly Split[]; question?: string },
): Promise<QuestionSet> {
  const { role, optionOrder, questions: source, limit } = settings.eval;
  const seed = foldIn(settings.seed, "evaluation");
  const request = { ...asked, role, optionOrder, source, seed, onBadRow: settings.onBadRow };
  const { questions, ...set } = questionsOf(benchmark, await neighbours(), request);
  return { ...set, questions: limited(questions, limit, settings.seed) };
}

/** The questions of both worlds; the same for every method. */
export async function evaluationQuestions(experiment: Experiment): Promise<QuestionSet> {
  const sets = [];
  for (const setting of ["closed", "open"] as const) sets.push(await questionsOfWorld(experiment, { setting }));
  return {
    name: experiment.benchmark.name,
    questions: sets.flatMap((set) => set.questions),
    skipped: sets.flatMap((set) => set.skipped),
  };
}

/** Questions with a special token in their text or options cannot be asked: they are noted as such. */
function withoutSpecialTokens({ processor }: Workbench, questions: readonly Question[]): Question[] {
  const tokens = specialTokensOf(processor.tokenizer);
  return questions.map((question) => {
    for (const text of [question.question, ...(question.options ?? [])]) {
      const token = specialTokenIn(text, tokens);
      if (token === null) continue;
      const field = text === question.question ? "question" : "an option";
      return { ...question, image: null, missing: `${field} has the special token ${token} in its text; take it out` };
    }
    return question;
  });
}

/**
 * The bench of an evaluation, and the questions with what cannot be read noted.
 * @param options.anyImages the questions are not about the benchmark's own images
 */
export async function evaluationBench(
  experiment: Experiment,
  questions: readonly Question[],
  { anyImages = false }: { anyImages?: boolean } = {},
): Promise<{ bench: Workbench; questions: Question[] }> {
  const { benchmark, bench, settings } = experiment;
  const checked = withoutSpecialTokens(bench, questions);
  if (benchmark.squares && !anyImages) return { bench, questions: checked };
  const sources = new Map<string, string>();
  for (const { image_path, image, shown } of questions) {
    if (image !== null) sources.set(image_path, image);
    if (shown?.image) sources.set(shown.image_path, shown.image);
  }
  const bad = new Map<string, string>();
  const { images } = await openImages(bench.processor, sources, {
    limits: limitsOf(settings.eval),
    alpha: settings.eval.alpha,
    onBadImage: (name, reason) => void bad.set(name, reason),
  });
  const noted = checked.map((question) => {
    const missing = question.missing ?? bad.get(question.image_path);
    return missing === undefined ? question : { ...question, image: null, missing };
  });
  return { bench: bench.withImages(images), questions: noted };
}

/**
 * End tokens and repetition penalty of an evaluation: the bench's on a benchmark's own squares, elsewhere the
 * checkpoint's, as the settings change it.
 * @param anyImages the questions are not about the benchmark's own images
 */
export function answerGeneration(
  { settings, generationConfig, benchmark }: Experiment,
  anyImages = false,
): Pick<GenerationConfig, "eosTokenIds" | "repetitionPenalty"> {
  if (benchmark.squares && !anyImages) return {};
  const { repetitionPenalty } = settings.eval;
  const penalty = repetitionPenalty > 0 ? repetitionPenalty : generationConfig.repetitionPenalty;
  return { ...generationConfig, repetitionPenalty: penalty };
}

/**
 * Predictions of a method (`predictions/<method>.jsonl`), or of a control (`controls/<method>-<control>.jsonl`). An
 * evaluation that was ended goes on with the rows that are missing.
 */
export function evaluate(
  experiment: Experiment,
  method: Method,
  { onProgress, signal, control = "own" }: Watch & { control?: ImageControl } = {},
): Promise<PredictionRow[]> {
  const { settings, folder, prompts, say } = experiment;
  const named = experiment.label ?? method;
  const name = control === "own" ? named : `${named}-${control}-image${control === "none" ? "" : "s"}`;
  const target = path.join(control === "own" ? "predictions" : "controls", `${name}.jsonl`);
  const file = path.join(folder, target);
  const partialOf = (identity: string): string => `${file}.${identity.slice(0, 12)}.partial`;
  const { maxNewTokens, batchSize } = settings.eval;
  return runStage(experiment, {
    name: `evaluate ${name}`,
    target,
    settings: [...new Set<keyof Settings>([...PARTS[METHODS[method].stage], "similarity", "eval"])],
    load: (from) => readJsonl<PredictionRow>(path.join(from, target)),
    make: async (identity, beforeSaving) => {
      const set = await evaluationQuestions(experiment);
      const asked = controlled(set.questions, control);
      const { bench, questions } = await evaluationBench(experiment, asked);
      const params = await methodParams(experiment, method, { onProgress, signal });
      const answerer = benchAnswerer(params, bench, {
        identity: { stage: identity },
        seed: settings.seed,
        maxNewTokens,
        batchSize,
        generation: answerGeneration(experiment),
      });
      const partial = partialOf(identity);
      try {
        const { rows, skipped } = await runEvaluation({ ...set, questions }, answerer, {
          out: partial,
          method: name,
          seed: settings.seed,
          prompts,
          reason: METHODS[method].reasons,
          maxNewTokens,
          onBadRow: settings.onBadRow,
          signal,
          onProgress: (done, total) => onProgress?.(done, total, "rows answered"),
        });
        for (const { where, reason } of skipped) say(`${where}: left out: ${reason}`);
        beforeSaving();
        writeJsonl(
          file,
          rows.map(({ row: _, ...prediction }) => prediction),
        );
        return readJsonl<PredictionRow>(file);
      } finally {
        disposeTree(params);
      }
    },
    cleanUp: (identity) => {
      const partial = partialOf(identity);
      for (const left of [partial, manifestFile(partial)]) rmSync(left, { force: true });
    },
  });
}
