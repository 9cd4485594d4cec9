/**
 * Stage-1 records by a strong teacher (paper, section 3.1): each image is described several times, the concepts most
 * informative of its sub-category are kept (`concepts.ts`), the teacher reasons from them to a name it is not told, and
 * what is wrong, malformed, too long or said before is rejected.
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
  withPlainAnswer,
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
  /**
   * Options of a closed question, shuffled, the truth among them: they are its candidates, and are shown in the record.
   */
  options?: readonly string[];
}

/** How a teacher is spoken to. */
export interface TeacherLanguage {
  /** Asks for one description. @param kind super-category in a word */
  describe(kind: string): string;
  /** Asks for the rationale; the label is not in it. */
  rationale(question: string, concepts: readonly string[], candidates?: readonly string[]): string;
  /** Visual concepts of a description. */
  concepts(description: string): string[];
  /** Whether a rationale has the form that is trained; default: the released records' (`rejectionOf`). */
  isWellFormed?: (rationale: string) => boolean;
  /**
   * A rationale with its name put right, for a teacher that knows none of the names: used where not one rationale of
   * all passes. Null where the text cannot be put right. Default: none, there are no records then.
   */
  withName?: (rationale: string, name: string, options?: readonly string[]) => string | null;
}

/** For models that follow instructions. */
export const instructions: TeacherLanguage = {
  describe: describePrompt,
  rationale: rationalePrompt,
  concepts: parsePhrases,
};

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
  /** Default `instructions`. */
  language?: TeacherLanguage;
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
  /** Records whose name was put right, as no rationale passed (`TeacherLanguage.withName`): all of them, or none. */
  named: number;
  /** Images without rationales, and why. */
  skipped: { image: string; reason: string }[];
  /** The visual concepts of each description, by image. */
  descriptions: ReadonlyMap<string, readonly (readonly string[])[]>;
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
  descriptions: readonly (readonly string[])[],
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

type Answers = readonly { text: string; finished: boolean }[];

/** Asks a teacher about images, some at once; what fails is kept as a reason under `skip`. */
function createAsker(teacher: Teacher, options: TeacherOptions) {
  const { seed, atOnce, temperature, maxTokens, onBadRow = "stop", onProgress } = options;
  const reasons = new Map<CotImage, string>();
  const ask = async (of: CotImage, purpose: string, text: string, n: number): Promise<Answers> => {
    try {
      return await teacher({ file: of.file, text, n, maxTokens, temperature, seed: seedOf(seed, purpose, of.image) });
    } catch (error) {
      const { message } = error as Error;
      if (onBadRow === "stop")
        throw new Error(`${of.image}: ${message}; finished requests are cached: run again, or skip bad rows`);
      reasons.set(of, message);
      return [];
    }
  };
  /** Answers about all images, in parallel; by image. */
  const askAll = async (
    stage: "descriptions" | "rationales",
    images: readonly CotImage[],
    { n, textOf }: { n: number; textOf: (of: CotImage) => string },
  ): Promise<Map<CotImage, Answers>> => {
    const answers = new Map<CotImage, Answers>();
    onProgress?.(stage, 0, images.length);
    await forEachAtOnce(images, atOnce, async (of) => {
      answers.set(of, await ask(of, stage, textOf(of), n));
      onProgress?.(stage, answers.size, images.length);
    });
    return answers;
  };
  return { reasons, askAll };
}

/** The concepts kept for each image of one set: most informative of its sub-category, least redundant. */
function conceptsOf(
  images: readonly CotImage[],
  descriptions: TeacherData["descriptions"],
  options: Pick<TeacherOptions, "concepts" | "redundancyWeight">,
): Map<CotImage, ScoredConcept[]> {
  const named = new Map(images.map((of) => [of.image, of.name]));
  const all = [...named].flatMap(([image, concept]) => descriptions.get(image)!.map((words) => ({ concept, words })));
  if (all.length === 0) return new Map();
  const statistics = conceptStatistics(all);
  const names = [...new Set(named.values())];
  const gives = new Map<string, boolean>();
  return new Map(
    images.flatMap((of) => {
      const usable = usablePhrases(descriptions.get(of.image)!, names, gives);
      const kept = selectConcepts(statistics, of.name, usable, options.concepts, options.redundancyWeight);
      return kept.length === 0 ? [] : [[of, kept] as const];
    }),
  );
}

/**
 * Builds records for images of one or several sets; the same answers of the teacher give the same records. An image may
 * come twice, with options and without: it is described once.
 * @throws Error under `stop` where a request fails; finished ones are in the teacher's cache
 */
export async function buildTeacherCot(
  images: readonly CotImage[],
  teacher: Teacher,
  options: TeacherOptions,
): Promise<TeacherData> {
  const { seed, prompts, language = instructions } = options;
  const { reasons, askAll } = createAsker(teacher, options);
  const first = new Map<string, CotImage>();
  for (const of of images) if (!first.has(of.image)) first.set(of.image, of);
  const described = await askAll("descriptions", [...first.values()], {
    n: options.descriptions,
    textOf: (of) => language.describe(of.kind),
  });
  const descriptions = new Map(
    [...described].map(([of, answers]) => [
      of.image,
      answers.map(({ text }) => language.concepts(withoutThoughts(text))).filter((list) => list.length > 0),
    ]),
  );
  const concepts = new Map<CotImage, ScoredConcept[]>();
  const sets: Record<string, SetCounts> = {};
  for (const set of new Set(images.map((of) => of.set))) {
    const own = images.filter((of) => of.set === set);
    sets[set] = { ...emptyCounts(), images: new Set(own.map((of) => of.image)).size };
    for (const [of, kept] of conceptsOf(own, descriptions, options)) concepts.set(of, kept);
  }
  for (const of of images)
    if (!concepts.has(of) && !reasons.has(first.get(of.image)!))
      reasons.set(of, "no visual concept in its descriptions");

  const candidatesOf = (of: CotImage): readonly string[] | undefined =>
    of.options ?? options.candidates?.(of, seedOf(seed, "candidates", of.image));
  const answered = await askAll("rationales", [...concepts.keys()], {
    n: options.samples,
    textOf: (of) => {
      const words = concepts.get(of)!.map(({ word }) => word);
      return language.rationale(of.question, words, candidatesOf(of));
    },
  });
  const validation = { ...options, isWellFormed: language.isWellFormed };
  const filter = duplicateFilter(options.duplicateShare);
  const records: TeacherRecord[] = [];
  const keep = (of: CotImage, assistant: string): void => {
    const user = (direct: boolean): string => prompts.stage1(of.question, { options: of.options, direct });
    const base = { system: prompts.stage1System, image: of.image };
    const direct = { ...base, user: user(true), assistant: formatAnswer(of.name) };
    records.push({ record: { ...base, user: user(false), assistant }, direct, of, concepts: concepts.get(of)! });
  };
  for (const of of images) {
    const counts = sets[of.set];
    for (const response of answered.get(of) ?? []) {
      counts.samples++;
      const rejection =
        rejectionOf(response, of.name, validation) ?? (filter.isNew(response.text) ? null : "duplicate");
      if (rejection !== null) {
        counts.rejections[rejection]++;
        continue;
      }
      keep(of, withPlainAnswer(response.text.trim(), of.name));
      counts.records++;
      break; // one for each question: the others are not looked at
    }
  }
  const named = records.length === 0 && language.withName !== undefined;
  for (const [of, responses] of named ? answered : [])
    for (const { text } of responses) {
      const right = language.withName!(text, of.name, of.options);
      if (right === null) continue;
      keep(of, right);
      break;
    }
  const skipped = [...reasons].map(([of, reason]) => ({ image: of.image, reason }));
  return { records, sets, named: named ? records.length : 0, skipped, descriptions };
}
