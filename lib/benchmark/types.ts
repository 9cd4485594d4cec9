/** What every benchmark is to the rest of the library: sub-categories, images in roles, questions, neighbours. */
import type { Knowledge } from "./emoji-fgvr/knowledge";
import type { BadRow, OnBadRow } from "../util/lines";
import type { OptionOrder, Setting } from "./prompts";

/** Whether a sub-category's few-shot images are trained on. */
export type Split = "seen" | "unseen";

export const SPLITS: readonly Split[] = ["seen", "unseen"];

/** A fine-grained class. */
export interface Subcategory {
  /** Unique in its benchmark. */
  readonly id: string;
  /** What an answer has to say. Unique in its domain. */
  readonly name: string;
  /** Its super-category: the options of a closed question come from one domain. */
  readonly domain: string;
  readonly split: Split;
}

/**
 * What an image is used for. `fewshot` images of seen sub-categories are trained on; those of unseen ones are never,
 * and serve to measure similarity and to fit probes. `dev` images are for choices, `test` images for results.
 */
export type Role = "fewshot" | "dev" | "test";

/** An image of a benchmark. */
export interface BenchmarkImage {
  /** Its name in records, questions and predictions; unique in the benchmark. */
  readonly id: string;
  /** Absolute path; null where the file is missing. */
  readonly file: string | null;
  readonly subcategory: Subcategory;
  /** Who made it, where a benchmark knows: a positive is by another source than its anchor. */
  readonly source?: string;
  /** What random draws about this image depend on besides the seed, so that other images change nothing. */
  readonly key: readonly string[];
}

/** A question in the fields of the prediction files, with its image on this machine. */
export interface Question {
  /** Name of the image: `<set>/<path>`, or a path below the repository. */
  image_path: string;
  question: string;
  /** Absent in the open world. */
  options?: string[];
  ground_truth: string;
  domain: string;
  split: Split;
  setting: Setting;
  /** Absolute; null where the file is missing. */
  image: string | null;
  /** Why the image cannot be used, where its file is there. */
  missing?: string;
  /** File and line, or set and image: for messages. */
  where: string;
  /** Who made the image, where the benchmark knows. */
  designer?: string;
  /** What is shown in place of the image, a control: another image of the benchmark, or none (null). */
  shown?: { image_path: string; image: string | null } | null;
}

/** Questions, and the rows that are none. */
export interface QuestionSet {
  name: string;
  questions: Question[];
  skipped: BadRow[];
}

/** What to ask of a benchmark. */
export interface QuestionRequest {
  setting: Setting;
  /** Default both. */
  splits?: readonly Split[];
  /** Whose images; default `test`. */
  role?: "dev" | "test";
  /** Draws options and their order, and which rows `limit` keeps; default 0. */
  seed?: number;
  /** Default `shuffled`; `released`: the truth first. */
  optionOrder?: OptionOrder;
  /** `released` (default): published questions where the benchmark has them; `own`: one for each image. */
  source?: "released" | "own";
  /** Asked in place of the benchmark's own question. */
  question?: string;
  /** A random sample of so many; 0 (default) for all. */
  limit?: number;
  onBadRow?: OnBadRow;
}

/** Equal squares: a benchmark whose images fit one tensor, in which they may be augmented. */
export interface SquareImages {
  /** Side in pixels. */
  readonly size: number;
  /** RGB bytes of an image by its id. */
  load(id: string): Promise<{ data: Uint8Array; width: number; height: number }>;
}

/** What a benchmark has whose base model was pre-trained on its world. */
export interface Extras {
  /** What each concept looks like, in words. */
  readonly knowledge: readonly Knowledge[];
  /** Colour words (most frequent first) and shape words measured on an image. */
  appearance(image: BenchmarkImage): Promise<{ colors: readonly string[]; shape: readonly string[] }>;
  /** Images that pre-training saw, by id: replayed beside few-shot images. */
  readonly pretrainingImages: ReadonlySet<string>;
}

/** A benchmark. Roles are disjoint (`assertDisjointRoles`). */
export interface Benchmark {
  readonly name: string;
  /** For people: `Emoji-FGVR`, `Oxford-IIIT Pet`. */
  readonly title: string;
  readonly domains: readonly string[];
  /** SHA-256 of what its images, names and split are: results depend on it. */
  readonly fingerprint: string;
  /** Which rule decided what is seen, in words. */
  readonly splitSource: string;
  subcategories(only?: { domain?: string; split?: Split }): readonly Subcategory[];
  images(role: Role, of?: Subcategory): readonly BenchmarkImage[];
  /** What is asked about an image of the domain. */
  question(domain: string): string;
  /** The domain's super-category in a word, for a teacher: `bird`. */
  kind(domain: string): string;
  /** All other sub-categories of the domain, most similar first; null where similarity is to be measured. */
  neighbours(of: Subcategory): readonly Subcategory[] | null;
  /** A finer class whose members are nearest to one another (`apple` of several apples); absent where there is none. */
  kin?(of: Subcategory): string | undefined;
  /** Published questions, in place of the ones made here; null where there are none for the request. */
  questions?(request: QuestionRequest): QuestionSet | null;
  /** Of a mixture: what it is made of; its questions are those of its parts. */
  readonly parts?: readonly Benchmark[];
  readonly squares?: SquareImages;
  readonly extras?: Extras;
}

/** @throws Error naming the sub-category that the benchmark lacks */
export function subcategoryOf(benchmark: Benchmark, id: string): Subcategory {
  const found = benchmark.subcategories().find((one) => one.id === id);
  if (!found) throw new Error(`${benchmark.name} has no sub-category ${JSON.stringify(id)}`);
  return found;
}
