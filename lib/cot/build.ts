/**
 * From a teacher's descriptions and beliefs to records: concepts chosen, the four-part rationale written, its
 * prediction checked. The teacher never sees the label: a record whose prediction is wrong is rejected (paper, section
 * 3.1).
 */
import { foldIn, random } from "../util/random";
import { CANDIDATES, orderCandidates } from "./corpus";
import type { Knowledge } from "../benchmark/emoji-fgvr/knowledge";
import type { PromptSet, Setting } from "../benchmark/prompts";
import { compareCandidates, formatAnswer, formatRationale } from "./rationale";
import type { SftRecord } from "../formats/sharegpt";
import { sharesStem } from "../util/stem";
import { conceptStatistics, selectConcepts, type ConceptStatistics, type ScoredConcept } from "./concepts";

/** What a teacher saw in one image. */
export interface Observation {
  image: string;
  /** Sub-category id: used to check the prediction and to estimate information, never told to the teacher. */
  concept: string;
  domain: string;
  /** Measured colour words. */
  colors: readonly string[];
  /** Several independent descriptions, each a list of words. */
  descriptions: readonly (readonly string[])[];
  /** How often each name was given as a direct answer. */
  beliefs: ReadonlyMap<string, number>;
}

/** Why a candidate record was not kept. */
export type Rejection = "no concepts" | "unsupported" | "truth not among candidates" | "wrong prediction" | "duplicate";

/** A record with what led to it. */
export interface CotRecord {
  record: SftRecord;
  /** The same question with the answer alone: for the direct-answer baseline. */
  direct: SftRecord;
  setting: Setting;
  concept: string;
  kept: ScoredConcept[];
}

/** What was built, and what was not. */
export interface CotData {
  records: CotRecord[];
  attempts: number;
  rejections: Record<Rejection, number>;
}

/** Settings of the construction. */
export interface BuildOptions {
  conceptsPerImage: number;
  redundancyWeight: number;
  /** Words of a candidate that a comparison names at most; 0 for all. */
  comparedWords: number;
  prompts: PromptSet;
  /** Options of the closed question for a sub-category, the truth among them, shuffled. */
  closedOptions: (concept: string, seed: number) => readonly string[];
  seed: number;
}

const share = (a: readonly string[], b: readonly string[]): number => {
  const both = a.filter((x) => b.includes(x)).length;
  return both / Math.max(1, new Set([...a, ...b]).size);
};

/** How well a candidate agrees with what was seen, in [0, 1]: words 0.5, colours 0.2, the teacher's own belief 0.3. */
function agreement(candidate: Knowledge, words: readonly string[], colors: readonly string[], belief: number): number {
  return 0.5 * share(candidate.words, words) + 0.2 * share(candidate.colors, colors) + 0.3 * belief;
}

/** Words in at least a third of an image's descriptions that no name of the domain gives away. */
export function usableWords(observation: Pick<Observation, "descriptions">, names: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const words of observation.descriptions)
    for (const word of new Set(words)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const enough = Math.max(1, Math.floor(observation.descriptions.length / 3));
  return [...counts].filter(([word, n]) => n >= enough && sharesStem(word, names) === null).map(([word]) => word);
}

/** Builds one record or says why not. */
function buildRecord(
  observation: Observation,
  setting: Setting,
  domain: readonly Knowledge[],
  statistics: ConceptStatistics,
  options: BuildOptions,
): CotRecord | Rejection {
  const truth = domain.find((k) => k.id === observation.concept)!;
  const kept = selectConcepts(
    statistics,
    observation.concept,
    usableWords(
      observation,
      domain.map((k) => k.name),
    ),
    options.conceptsPerImage,
    options.redundancyWeight,
  );
  if (kept.length === 0) return "no concepts";
  const words = kept.map((k) => k.word);
  const stream = random(foldIn(options.seed, observation.image, setting));
  const samples = [...observation.beliefs.values()].reduce((a, b) => a + b, 0);
  const scored = (candidates: readonly Knowledge[]): { candidate: Knowledge; score: number }[] =>
    candidates.map((candidate) => ({
      candidate,
      score: agreement(
        candidate,
        words,
        observation.colors,
        (observation.beliefs.get(candidate.name) ?? 0) / Math.max(1, samples),
      ),
    }));

  let candidates: Knowledge[];
  let choices: readonly string[] | undefined;
  if (setting === "closed") {
    choices = options.closedOptions(observation.concept, stream.integer(2 ** 31));
    candidates = choices.map((name) => domain.find((k) => k.name === name)!);
  } else {
    candidates = scored(domain)
      .sort((a, b) => b.score - a.score)
      .slice(0, CANDIDATES.open)
      .map(({ candidate }) => candidate);
    if (!candidates.includes(truth)) return "truth not among candidates";
    candidates = orderCandidates(candidates);
  }
  const best = scored(candidates).reduce((a, b) => (b.score > a.score ? b : a)).candidate;
  if (best !== truth) return "wrong prediction";
  if (share(truth.words, words) === 0) return "unsupported"; // right by belief alone: nothing that was seen speaks for it
  const assistant = formatRationale({
    colors: observation.colors,
    concepts: words,
    candidates: candidates.map((c) => c.name),
    comparison: compareCandidates(
      { colors: observation.colors, concepts: words },
      candidates.map((c) => ({ name: c.name, colors: c.colors, concepts: c.words })),
      options.comparedWords,
    ),
    prediction: best.name,
  });
  const base = { system: options.prompts.stage1System, image: observation.image };
  return {
    record: { ...base, user: options.prompts.reason(truth.question, choices), assistant },
    direct: { ...base, user: options.prompts.direct(truth.question, choices), assistant: formatAnswer(truth.name) },
    setting,
    concept: observation.concept,
    kept,
  };
}

/** One closed and one open record per image where the teacher gets it right. */
export function buildCotData(
  observations: readonly Observation[],
  knowledge: readonly Knowledge[],
  domainOf: ReadonlyMap<string, string>,
  options: BuildOptions,
): CotData {
  const rejections: Record<Rejection, number> = {
    "no concepts": 0,
    unsupported: 0,
    "truth not among candidates": 0,
    "wrong prediction": 0,
    duplicate: 0,
  };
  const records: CotRecord[] = [];
  const seen = new Set<string>();
  let attempts = 0;
  for (const domain of new Set(observations.map((o) => o.domain))) {
    const own = observations.filter((o) => o.domain === domain);
    const known = knowledge.filter((k) => domainOf.get(k.id) === domain);
    const statistics = conceptStatistics(
      own.flatMap((o) => o.descriptions.map((words) => ({ concept: o.concept, words }))),
    );
    for (const observation of own) {
      for (const setting of ["closed", "open"] as const) {
        attempts++;
        const result = buildRecord(observation, setting, known, statistics, options);
        if (typeof result === "string") {
          rejections[result]++;
          continue;
        }
        const key = JSON.stringify([result.record.image, result.record.user, result.record.assistant]);
        if (seen.has(key)) rejections.duplicate++;
        else records.push(result);
        seen.add(key);
      }
    }
  }
  return { records, attempts, rejections };
}

/** How many of some lengths fall into each bin of `width`, as `20-29`; in the order in which bins first occur. */
export function lengthHistogram(lengths: readonly number[], width: number): Record<string, number> {
  const histogram: Record<string, number> = {};
  for (const n of lengths) {
    const first = Math.floor(n / width) * width;
    const bin = `${first}-${first + width - 1}`;
    histogram[bin] = (histogram[bin] ?? 0) + 1;
  }
  return histogram;
}

/** What the data card says of a set of records. */
export function dataCard(data: CotData): Record<string, number | Record<string, number>> {
  return {
    attempts: data.attempts,
    accepted: data.records.length,
    acceptance_rate: data.records.length / Math.max(1, data.attempts),
    closed: data.records.filter((r) => r.setting === "closed").length,
    open: data.records.filter((r) => r.setting === "open").length,
    sub_categories: new Set(data.records.map((r) => r.concept)).size,
    rejections: { ...data.rejections },
    words_per_response: lengthHistogram(
      data.records.map((r) => r.record.assistant.split(/\s+/).length),
      10,
    ),
  };
}
