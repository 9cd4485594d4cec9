/**
 * Which link of the chain fails: accuracy when a part of the rationale is given as it should be. The model's answer is
 * begun with true visual words, with true candidates, or with both, and it goes on from there; and what several samples
 * hold that the greedy answer does not.
 */
import { closedOptions } from "../../benchmark/options";
import type { Knowledge } from "../../benchmark/emoji-fgvr/knowledge";
import type { Question } from "../../benchmark/types";
import { CANDIDATES, description, orderCandidates } from "../../cot/corpus";
import type { Params } from "../../engine/tensorflow";
import type { Split, Setting } from "../../eval/rows";
import { scoreRow } from "../../eval/score";
import { extractAnswer } from "../../reward/extract";
import { continued } from "../../rollout/continued";
import type { Rollout } from "../../rollout/types";
import { withFeatures } from "../../train/with-features";
import { commonest } from "../../util/commonest";
import { foldIn } from "../../util/random";
import { evaluationQuestions } from "../evaluate";
import type { Experiment } from "../types";

/**
 * What is given. `own`: nothing; `one own word`: the model's own analysis, cut off after its first word beside colours.
 * A model that answers as well from there did not use the others.
 */
export const GIVEN = ["own", "one own word", "words", "candidates", "words and candidates"] as const;
export type Given = (typeof GIVEN)[number];

/** A cell's accuracy under one condition, in [0, 1]. */
export interface Link {
  /** Of samples: whether any is right, the share that is, and whether the most common answer is. */
  given: Given | "best of samples" | "mean of samples" | "majority of samples";
  setting: Setting;
  split: Split;
  accuracy: number;
  n: number;
}

const CUT = " Candidates:";

/** The two halves of a rationale's beginning: the analysis, and the candidates after it. */
const analysis = (colors: readonly string[], words: readonly string[]): string =>
  `<think> Analysis:${description(colors, words)}`;
const candidates = (names: readonly string[]): string => `${CUT} ${names.join(", ")}.`;

/** The beginning of a rationale up to its first word beside colours, and what comes next; nothing where it has none. */
function oneWord(text: string): string {
  const begun = /^<think> Analysis: [^,.]*, [^ .]+/.exec(text);
  return begun ? `${begun[0]}.${CUT}` : "";
}

export interface LinkOptions {
  /** Sampled answers for `best of samples`; 0 for none. */
  samples: number;
  onProgress?: (done: number, total: number, note: string) => void | Promise<void>;
}

/**
 * Asks a model that reasons the evaluation's questions under every condition. The parameters stay the caller's.
 * @throws Error where the benchmark does not say what its concepts look like
 */
export async function chainLinks(
  experiment: Experiment,
  params: Params,
  { samples, onProgress }: LinkOptions,
): Promise<Link[]> {
  const { benchmark, bench, prompts, settings } = experiment;
  const { extras } = benchmark;
  if (!extras) throw new Error(`links: ${benchmark.name} does not say in words what its sub-categories look like`);
  const known = new Map(extras.knowledge.map((one): [string, Knowledge] => [one.id, one]));
  const byName = new Map(benchmark.subcategories().map((one) => [`${one.domain}/${one.name}`, one]));
  const images = new Map(benchmark.images(settings.eval.role).map((image) => [image.id, image]));
  const neighbours = await experiment.neighbours();
  const { questions } = await evaluationQuestions(experiment);
  const { tokenizer } = bench.processor;

  const generate = (asked: readonly Question[], begun: readonly string[], numGenerations = 1): Rollout[] => {
    const paths = asked.map(({ image_path }) => image_path);
    const places = bench.places(paths);
    const rows = asked.map((question, i) =>
      continued(
        bench.prompt(prompts.reason(question.question, question.options), places[i]),
        tokenizer.encode(begun[i]),
      ),
    );
    const options = {
      numGenerations,
      maxNewTokens: settings.eval.maxNewTokens,
      temperature: 1,
      topP: 1,
      greedy: numGenerations === 1,
      eosTokenIds: bench.eosTokenIds,
      bannedTokenIds: bench.bannedTokenIds,
      seed: foldIn(settings.seed, "links"),
    };
    return withFeatures(bench, params, paths, (features) =>
      bench.generator.generate(params, { prompts: rows, features }, options),
    );
  };

  /** True candidates: the options, or the truth and its nearest others of its split. */
  const trueCandidates = (question: Question): string[] => {
    if (question.options) return question.options;
    const truth = byName.get(`${question.domain}/${question.ground_truth}`)!;
    const names = closedOptions(truth, neighbours, foldIn(settings.seed, "links", question.image_path));
    const others = names.filter((name) => name !== truth.name).slice(0, CANDIDATES.open - 1);
    return orderCandidates([truth.name, ...others].map((name) => ({ name }))).map(({ name }) => name);
  };
  const trueWords = async (question: Question): Promise<string> => {
    const truth = byName.get(`${question.domain}/${question.ground_truth}`)!;
    const { colors } = await extras.appearance(images.get(question.image_path)!);
    return analysis(colors, known.get(truth.id)!.words);
  };

  // without an answer tag nothing counts: candidates that were given would be found in the text
  const right = (question: Question, output: string): boolean =>
    scoreRow({ ...question, output }, question.setting).substring && extractAnswer(output) !== null;
  const cells = new Map<string, { link: Omit<Link, "accuracy" | "n">; right: number; n: number }>();
  const count = (given: Link["given"], { setting, split }: Question, value: number): void => {
    const key = [given, setting, split].join("/");
    const cell = cells.get(key) ?? { link: { given, setting, split }, right: 0, n: 0 };
    cells.set(key, { ...cell, right: cell.right + value, n: cell.n + 1 });
  };

  for (let start = 0; start < questions.length; start += settings.eval.batchSize) {
    await onProgress?.(start, questions.length, "questions asked under each condition");
    const asked = questions.slice(start, start + settings.eval.batchSize);
    const textOf = (begun: readonly string[], rollouts: readonly Rollout[]): string[] =>
      rollouts.map(({ promptIndex, tokenIds }) => begun[promptIndex] + tokenizer.decode(tokenIds));
    const nothing = asked.map(() => "");
    const own = textOf(nothing, generate(asked, nothing));
    const words = await Promise.all(asked.map(trueWords));
    const choices = asked.map((question) => candidates(trueCandidates(question)));
    const begun: Record<Exclude<Given, "own">, string[]> = {
      "one own word": own.map(oneWord),
      words,
      candidates: own.map(
        (text, i) => (text.includes(CUT) ? text.slice(0, text.indexOf(CUT)) : "<think>") + choices[i],
      ),
      "words and candidates": words.map((text, i) => text + choices[i]),
    };
    asked.forEach((question, i) => count("own", question, right(question, own[i]) ? 1 : 0));
    for (const given of GIVEN) {
      if (given === "own") continue;
      const texts = textOf(begun[given], generate(asked, begun[given]));
      asked.forEach((question, i) => count(given, question, right(question, texts[i]) ? 1 : 0));
    }
    if (samples === 0) continue;
    const rollouts = generate(asked, nothing, samples);
    const hits = asked.map(() => 0);
    const answers = asked.map((): string[] => []);
    for (const { promptIndex: i, tokenIds } of rollouts) {
      const text = tokenizer.decode(tokenIds);
      answers[i].push(extractAnswer(text) ?? "");
      if (right(asked[i], text)) hits[i]++;
    }
    asked.forEach((question, i) => {
      count("best of samples", question, hits[i] > 0 ? 1 : 0);
      count("mean of samples", question, hits[i] / samples);
      const voted = commonest(answers[i])!.value;
      count("majority of samples", question, voted !== "" && right(question, `<answer>${voted}</answer>`) ? 1 : 0);
    });
  }
  return [...cells.values()].map(({ link, right: hits, n }) => ({ ...link, accuracy: hits / n, n }));
}
