/**
 * Stage-1 records by a strong teacher (paper, section 3.1): each image is described several times, the concepts most
 * informative of its sub-category are kept (`concepts.ts`), the teacher reasons from them to a name it is not told, and what
 * is wrong, malformed, too long or said before is rejected.
 */
import { foldIn } from "../util/random";
import { forEachAtOnce } from "../util/parallel";
import type { OnBadRow } from "../util/lines";
import type { PromptSet } from "../benchmark/prompts";
import { formatAnswer } from "./rationale";
import type { SftRecord } from "../formats/sharegpt";
import { conceptStatistics, selectConcepts, type ScoredConcept } from "./concepts";
import { describePrompt, givesAway, parsePhrases, rationalePrompt } from "./phrases";
import {
  duplicateFilter,
  rejectionOf,
  TEACHER_REJECTIONS,
  type TeacherRejection,
  type ValidationOptions,
} from "./validate";

/** One request about one image. */
export interface TeacherRequest {
  /** Absolute path. */
  file: string;
  text: string;
  /** Answers wanted. */
  n: number;
  maxTokens: number;
  temperature: number;
  seed: number;
}

/** A model that sees: `rollout/chat-endpoint.ts` behind `cot`, anything in tests. */
export type Teacher = (request: TeacherRequest) => Promise<{ text: string; finished: boolean }[]>;

/** A training image. */
export interface CotImage {
  set: string;
  /** As the record names it. */
  image: string;
  file: string;
  /** The sub-category: estimates information and checks answers, never told to the teacher. */
  name: string;
  /** Super-category in a word. */
  kind: string;
  question: string;
}

/** Settings of the construction. */
export interface TeacherOptions extends ValidationOptions {
  /** K of the paper. */
  descriptions: number;
  /** Rationales asked for an image; the first that passes is kept. */
  samples: number;
  concepts: number;
  redundancyWeight: number;
  temperature: number;
  maxTokens: number;
  /** The four candidates of an image, shuffled, the truth among them; the teacher names its own where not given. */
  candidates?: (image: CotImage, seed: number) => readonly string[];
  prompts: PromptSet;
  seed: number;
  /** Images under way at once. */
  atOnce: number;
  /** `stop` (default): a request that fails for good ends the construction. */
  onBadRow?: OnBadRow;
  onProgress?: (stage: "descriptions" | "rationales", done: number, total: number) => void;
}

/** A kept record, and what it was made from. */
export interface TeacherRecord {
  record: SftRecord;
  /** The same question with the answer alone. */
  direct: SftRecord;
  of: CotImage;
  concepts: ScoredConcept[];
}

/** What a set's images came to. */
export interface SetCounts {
  images: number;
  records: number;
  /** Rationales looked at. */
  samples: number;
  rejections: Record<TeacherRejection, number>;
}

/** What was built, and what was not. */
export interface TeacherData {
  records: TeacherRecord[];
  sets: Record<string, SetCounts>;
  /** Images without rationales, and why. */
  skipped: { image: string; reason: string }[];
}

const seedOf = (...parts: Parameters<typeof foldIn>): number => foldIn(...parts) >>> 1; // servers take 31 bits

const emptyCounts = (): SetCounts => ({
  images: 0,
  records: 0,
  samples: 0,
  rejections: Object.fromEntries(TEACHER_REJECTIONS.map((reason) => [reason, 0])) as Record<TeacherRejection, number>,
});

/** What a description says after its thoughts, which may be cut off. */
const withoutThoughts = (text: string): string => text.replace(/<think>[\s\S]*?(?:<\/think>|$)/g, "");

/** Phrases of a third of an image's descriptions or more that no name of its set is given away by. */
function usablePhrases(
  descriptions: readonly string[][],
  names: readonly string[],
  gives: Map<string, boolean>,
): string[] {
  const counts = new Map<string, number>();
  for (const phrases of descriptions) for (const phrase of phrases) counts.set(phrase, (counts.get(phrase) ?? 0) + 1);
  const enough = Math.max(1, Math.floor(descriptions.length / 3));
  return [...counts]
    .filter(([phrase, n]) => {
      if (n < enough) return false;
      if (!gives.has(phrase)) gives.set(phrase, givesAway(phrase, names));
      return !gives.get(phrase);
    })
    .map(([phrase]) => phrase);
}

/**
 * Builds records for images of one or several sets; the same answers of the teacher give the same records.
 * @throws Error under `stop` where a request fails; finished ones are in the teacher's cache
 */
export async function buildTeacherCot(
  images: readonly CotImage[],
  teacher: Teacher,
  options: TeacherOptions,
): Promise<TeacherData> {
  const { seed, atOnce, temperature, maxTokens, prompts, onBadRow = "stop", onProgress } = options;
  const sets: Record<string, SetCounts> = {};
  const skipped: TeacherData["skipped"] = [];
  const reasons = new Map<number, string>();
  const ask = async (
    i: number,
    purpose: string,
    text: string,
    n: number,
  ): Promise<{ text: string; finished: boolean }[]> => {
    const { file, image } = images[i];
    try {
      return await teacher({ file, text, n, maxTokens, temperature, seed: seedOf(seed, purpose, image) });
    } catch (error) {
      if (onBadRow === "stop")
        throw new Error(
          `${image}: ${(error as Error).message}; finished requests are cached: run again, or skip bad rows (--on-bad-row skip)`,
        );
      reasons.set(i, (error as Error).message);
      return [];
    }
  };
  /** Asks about all `places`, in parallel; the answers by place. */
  const askAll = async (
    stage: "descriptions" | "rationales",
    places: readonly number[],
    n: number,
    textOf: (i: number) => string,
  ): Promise<Map<number, { text: string; finished: boolean }[]>> => {
    const answers = new Map<number, { text: string; finished: boolean }[]>();
    onProgress?.(stage, 0, places.length);
    await forEachAtOnce(places, atOnce, async (i) => {
      answers.set(i, await ask(i, stage, textOf(i), n));
      onProgress?.(stage, answers.size, places.length);
    });
    return answers;
  };

  const described = await askAll(
    "descriptions",
    images.map((_, i) => i),
    options.descriptions,
    (i) => describePrompt(images[i].kind),
  );
  const concepts = new Map<number, ScoredConcept[]>();
  for (const set of new Set(images.map((image) => image.set))) {
    sets[set] = emptyCounts();
    const own = images.flatMap((image, i) => (image.set === set ? [i] : []));
    sets[set].images = own.length;
    const phrases = new Map(
      own.map((i) => [
        i,
        described
          .get(i)!
          .map(({ text }) => parsePhrases(withoutThoughts(text)))
          .filter((list) => list.length > 0),
      ]),
    );
    const all = own.flatMap((i) => phrases.get(i)!.map((words) => ({ concept: images[i].name, words })));
    const names = [...new Set(own.map((i) => images[i].name))];
    const gives = new Map<string, boolean>();
    const statistics = all.length > 0 ? conceptStatistics(all) : null;
    for (const i of own) {
      const kept = statistics
        ? selectConcepts(
            statistics,
            images[i].name,
            usablePhrases(phrases.get(i)!, names, gives),
            options.concepts,
            options.redundancyWeight,
          )
        : [];
      if (kept.length > 0) concepts.set(i, kept);
      else if (!reasons.has(i)) reasons.set(i, "no visual concept in its descriptions");
    }
  }

  const places = [...concepts.keys()].sort((a, b) => a - b);
  const answered = await askAll("rationales", places, options.samples, (i) =>
    rationalePrompt(
      images[i].question,
      concepts.get(i)!.map(({ word }) => word),
      options.candidates?.(images[i], seedOf(seed, "candidates", images[i].image)),
    ),
  );
  const filter = duplicateFilter(options.duplicateShare);
  const records: TeacherRecord[] = [];
  images.forEach((of, i) => {
    const failure = reasons.get(i);
    if (failure !== undefined) skipped.push({ image: of.image, reason: failure });
    for (const response of answered.get(i) ?? []) {
      const counts = sets[of.set];
      counts.samples++;
      const rejection = rejectionOf(response, of.name, options) ?? (filter.isNew(response.text) ? null : "duplicate");
      if (rejection !== null) {
        counts.rejections[rejection]++;
        continue;
      }
      const base = { system: prompts.stage1System, user: of.question, image: of.image };
      records.push({
        record: { ...base, assistant: response.text.trim() },
        direct: { ...base, assistant: formatAnswer(of.name) },
        of,
        concepts: concepts.get(i)!,
      });
      counts.records++;
      break; // one a image: the others are not looked at
    }
  });
  return { records, sets, skipped };
}
