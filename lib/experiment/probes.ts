/**
 * The knowledge-deployment analysis (paper, section 4.4: features and knowledge hardly change in training, their use does):
 * linear probes on frozen features, text-only name knowledge, and short questions other than naming, before and after training.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import type { Conversation } from "../processor/conversation";
import type { Knowledge } from "../benchmark/emoji-fgvr/knowledge";
import { description, drawCandidates } from "../cot/corpus";
import { domainQuestion, loadImages, measure, type Concept } from "../benchmark/emoji-fgvr";
import { foldIn, random } from "../util/random";
import type { Params } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import { bestClass, chooseL2, fitProbe, probeScores } from "../eval/logistic";
import { createProbes, probeRow, type ImageProbe, type ProbeRow, type Probes } from "../eval/probes";
import { METHODS } from "../eval/rows";
import { modelFolder, type Experiment, type OnProgress } from "./experiment";
import { loadModel } from "../model/checkpoint";
import { formatAnswer } from "../cot/rationale";
import { writeText } from "../util/files";

/** Penalties among which each probe's is chosen, on training rows alone. */
export const L2_CANDIDATES = [0.001, 0.01, 0.1] as const;

/** A drawing with its sub-category. */
interface Sample {
  image: string;
  concept: Concept;
  designer: string;
}

/** What `probe` leaves as JSON. */
export interface ProbeReport {
  rows: ProbeRow[];
  /** Methods asked for that the run has no saved model of, with the reason. */
  absent: { method: string; reason: string }[];
  /** Of each linear probe: rows it was fitted on, the penalty chosen, and the gradient where it ended. */
  fits: { method: string; probe: string; trained: number; l2: number; gradient: number }[];
  split: string;
}

/** The drawings a linear probe is fitted on (few-shot designers, seen and unseen) and those it is tested on (the evaluated role). */
export function probeSamples(
  { benchmark, settings }: Pick<Experiment, "benchmark" | "settings">,
  limit = settings.eval.limit,
): { train: Sample[]; test: Sample[] } {
  const of = (role: "fewshot" | "dev" | "test"): Sample[] =>
    benchmark
      .subcategories()
      .flatMap((concept) =>
        benchmark.drawings(concept, role).map((d) => ({ image: d.path, concept, designer: d.designer })),
      );
  const test = of(settings.eval.role);
  return {
    train: of("fewshot"),
    test: limit > 0 && limit < test.length ? random(foldIn(settings.seed, "probe-limit")).sample(test, limit) : test,
  };
}

const SPLITS = ["seen", "unseen"] as const;

/** Linear probes of one model on both kinds of features, the answer limited to the names of the image's domain. */
function linearProbes(
  method: string,
  train: Sample[],
  test: Sample[],
  of: { train: ImageProbe[]; test: ImageProbe[] },
  concepts: readonly Concept[],
): Pick<ProbeReport, "rows" | "fits"> {
  const label = new Map(concepts.map((c, i) => [c.id, i]));
  const ofDomain = (domain: string | null): number[] => concepts.flatMap((c, i) => (c.domain === domain ? [i] : []));
  const rows: ProbeRow[] = [];
  const fits: ProbeReport["fits"] = [];
  for (const kind of ["visual", "hidden"] as const) {
    const data = { features: of.train.map((f) => f[kind]), labels: train.map((s) => label.get(s.concept.id)!) };
    const l2 = chooseL2(
      data,
      concepts.length,
      train.map((s) => s.designer),
      L2_CANDIDATES,
    );
    const probe = fitProbe(data, concepts.length, l2);
    const scores = probeScores(
      probe,
      of.test.map((f) => f[kind]),
    );
    const right = test.map((s, i) => bestClass(scores[i], ofDomain(s.concept.domain)) === label.get(s.concept.id));
    const name = kind === "visual" ? "linear: visual features" : "linear: last hidden state";
    fits.push({ method, probe: name, trained: train.length, l2, gradient: probe.gradient });
    for (const split of SPLITS) {
      const mine = test.flatMap((s, i) => (s.concept.split === split ? [i] : []));
      if (mine.length === 0) continue;
      rows.push(
        probeRow(
          method,
          name,
          split,
          mine.map((i) => right[i]),
          mine.reduce((sum, i) => sum + 1 / ofDomain(test[i].concept.domain).length, 0) / mine.length,
        ),
      );
    }
  }
  return { rows, fits };
}

/** A text-only question with four continuations, the first of them true. */
export interface TextChoice {
  split: string;
  probe: string;
  conversations: Conversation[];
}

/**
 * What a name stands for, asked without an image, four candidates of one neighbourhood each: which description follows
 * `Describe NAME.`, and which name follows a description. Chosen by the mean log-probability of a token.
 */
export function knowledgeQuestions(
  knowledge: readonly Knowledge[],
  { benchmark, prompts, settings }: Pick<Experiment, "benchmark" | "prompts" | "settings">,
): TextChoice[] {
  const turn = (user: string, assistant: string): Conversation => ({ image: null, turns: [{ user, assistant }] });
  return knowledge
    .filter((k) => k.evaluated && k.neighbours.length >= 3)
    .flatMap((k): TextChoice[] => {
      const r = random(foldIn(settings.seed, "knowledge", k.id));
      const candidates = [k, ...drawCandidates(k, 4, r).filter((other) => other !== k)];
      const texts = candidates.map((c) => description(c.colors, c.words));
      const { split } = benchmark.concept(k.id);
      return [
        {
          split,
          probe: "text: name to attributes",
          conversations: texts.map((text) => turn(`Describe ${k.name}.`, text)),
        },
        {
          split,
          probe: "text: attributes to name",
          conversations: candidates.map((c) =>
            turn(prompts.direct(`${texts[0].trim()} ${k.question}`), formatAnswer(c.name)),
          ),
        },
      ];
    });
}

function knowledgeProbes(method: string, probes: Probes, params: Params, questions: readonly TextChoice[]): ProbeRow[] {
  const scores = probes.textLogProbs(
    params,
    questions.flatMap((q) => q.conversations),
  );
  let at = 0;
  const right = questions.map((q) => {
    const own = scores.slice(at, (at += q.conversations.length));
    return own.every((score, i) => i === 0 || own[0] > score);
  });
  return groupRows(
    method,
    questions.map((q, i) => ({ ...q, right: right[i], chance: 1 / q.conversations.length })),
  );
}

function groupRows(
  method: string,
  items: readonly { probe: string; split: string; right: boolean; chance: number }[],
): ProbeRow[] {
  return [...new Set(items.map((item) => item.probe))].flatMap((probe) =>
    SPLITS.flatMap((split) => {
      const own = items.filter((item) => item.probe === probe && item.split === split);
      return own.length === 0
        ? []
        : [
            probeRow(
              method,
              probe,
              split,
              own.map((item) => item.right),
              own.reduce((sum, item) => sum + item.chance, 0) / own.length,
            ),
          ];
    }),
  );
}

const words = (text: string): string[] =>
  text
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word !== "");

/** Whether a short answer is right. Colours: the main one comes first; shape: every word; kind: the word; parts: at least half of the true words. */
export const SHORT_QUESTIONS: readonly {
  user: string;
  probe: string;
  right: (answer: string, truth: readonly string[]) => boolean;
}[] = [
  { user: "Colors?", probe: "transfer: main colour", right: (answer, [main]) => words(answer)[0] === main },
  {
    user: "Shape?",
    probe: "transfer: shape",
    right: (answer, truth) => truth.every((word) => words(answer).includes(word)),
  },
  { user: "Kind?", probe: "transfer: kind", right: (answer, [kind]) => words(answer).join(" ") === kind },
  {
    user: "Parts?",
    probe: "transfer: parts",
    right: (answer, truth) => 2 * truth.filter((word) => words(answer).includes(word)).length >= truth.length,
  },
];

/**
 * Questions that no stage trains on, which the base was pre-trained to answer: what training cost. The base was never taught to
 * count, so counting is not asked. `chance` is the share that the commonest true answer alone would score (0 for parts).
 */
async function transferProbes(
  method: string,
  probes: Probes,
  params: Params,
  test: readonly Sample[],
): Promise<ProbeRow[]> {
  const pixels = await loadImages(test.map((s) => s.image));
  const truths = test.map(({ image, concept }) => {
    const { colors, shape } = measure(pixels.get(image)!, concept.kind === "flag" ? "flag" : "object");
    return [colors, shape, [concept.kind], concept.visualWords];
  });
  return SHORT_QUESTIONS.flatMap(({ user, probe, right }, q) => {
    const answers = probes.answers(
      params,
      test.map((s) => s.image),
      test.map(() => user),
      24,
    );
    const known = truths.map((truth) => truth[q]);
    const counts = new Map<string, number>();
    for (const truth of known)
      counts.set(q === 0 ? truth[0] : truth.join(" "), (counts.get(q === 0 ? truth[0] : truth.join(" ")) ?? 0) + 1);
    const chance = q === 3 ? 0 : Math.max(...counts.values()) / known.length;
    return groupRows(
      method,
      answers.map((answer, i) => ({ probe, split: test[i].concept.split, right: right(answer, known[i]), chance })),
    );
  });
}

/** The methods a run has models of; the base is always there. */
export function probedMethods(
  experiment: Experiment,
  methods: readonly string[],
): { found: string[]; absent: ProbeReport["absent"] } {
  const unknown = methods.find((method) => !(METHODS as readonly string[]).includes(method));
  if (unknown !== undefined)
    throw new Error(`probes: no method ${JSON.stringify(unknown)}; known are ${METHODS.join(", ")}`);
  const isThere = (method: string): boolean =>
    method.startsWith("base") || existsSync(path.join(modelFolder(experiment, method), "config.json"));
  const absent = methods
    .filter((method) => !isThere(method))
    .map((method) => ({ method, reason: `no saved model (models/${method}); the main job of this run makes it` }));
  return { found: methods.filter(isThere), absent };
}

/** Runs all probes on saved models; nothing is trained but the probes. Writes `probes/probes.json` under the run. */
export async function runProbes(
  experiment: Experiment,
  methods: readonly string[],
  onProgress?: OnProgress,
): Promise<ProbeReport> {
  const { bench, benchmark, knowledge, settings, prompts, folder } = experiment;
  const { found, absent } = probedMethods(experiment, methods);
  const { train, test } = probeSamples(experiment);
  const questions = knowledgeQuestions(knowledge, experiment);
  const probes = createProbes(bench);
  const ask = (samples: readonly Sample[]): string[] =>
    samples.map((s) => prompts.direct(domainQuestion(s.concept.domain!)));
  const report: ProbeReport = {
    rows: [],
    absent,
    fits: [],
    split: `linear probes: fitted on the ${train.length} drawings of the few-shot designers (seen and unseen sub-categories; the seen ones are SFT's and RL's images too), tested on ${test.length} of the ${settings.eval.role} designers`,
  };
  for (const [i, method] of found.entries()) {
    await onProgress?.(i, found.length, method);
    const { params } = loadModel(method.startsWith("base") ? settings.model : modelFolder(experiment, method));
    const features = probes.features(
      params,
      [...train, ...test].map((s) => s.image),
      [...ask(train), ...ask(test)],
    );
    const linear = linearProbes(
      method,
      train,
      test,
      { train: features.slice(0, train.length), test: features.slice(train.length) },
      benchmark.subcategories(),
    );
    report.fits.push(...linear.fits);
    report.rows.push(
      ...linear.rows,
      ...knowledgeProbes(method, probes, params, questions),
      ...(await transferProbes(method, probes, params, test)),
    );
    disposeTree(params);
  }
  await onProgress?.(found.length, found.length, "");
  writeText(path.join(folder, "probes", "probes.json"), `${JSON.stringify({ settings, ...report }, null, 2)}\n`);
  return report;
}
