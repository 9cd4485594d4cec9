/**
 * Evaluation questions on an image set's test portion.
 *
 * Closed-world options: the truth and three others, all of one set and one split, from a neighbourhood of the most similar
 * sub-categories (`drawOptions`, which keeps the options from telling the truth by themselves), none of whose names contains
 * the truth's or is contained in it; shuffled, from a seed per image.
 */
import { foldIn, random } from "../../util/random";
import { drawOptions } from "../options";
import { namesContain, orderOptions, type OptionOrder, type ReleasedRow } from "./released";
import type { SubcategorySplit } from "./splits";
import type { ImageSet, SetImage } from "./types";
import type { SetName } from "../../formats/set-names";

/** How alike two sub-categories are; larger is more alike. */
export type Similarity = (a: string, b: string) => number;

/** A question in the fields of the prediction files. */
export interface SetRow {
  image_path: string;
  question: string;
  /** Absent in the open world. */
  options?: string[];
  ground_truth: string;
  /** The set's name. */
  domain: string;
  split: "seen" | "unseen";
  setting: "closed" | "open";
}

/** A question of the release about each set, for images that it has no row of. */
export const SET_QUESTIONS: Readonly<Record<SetName, string>> = {
  aircraft: "What type of aircraft is shown in the image?",
  bird: "What bird species is visible in this image?",
  car: "What type of car is shown in the image?",
  dog: "What type of dog is this?",
  flower: "What type of flower is shown in the image?",
  pet: "What type of pet is shown in the image?",
};

const trigrams = (name: string): Set<string> => {
  const text = `  ${name
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim()} `;
  return new Set(Array.from({ length: text.length - 2 }, (_, i) => text.slice(i, i + 3)));
};

/** How alike two names are spelled: shared letter trigrams over all of theirs, in [0, 1]. The similarity that needs no image and no model. */
export const nameSimilarity: Similarity = (a, b) => {
  const [x, y] = [trigrams(a), trigrams(b)];
  const both = [...x].filter((part) => y.has(part)).length;
  return both / (x.size + y.size - both);
};

const OPTIONS = 4;
const NEAR = 6;

/** For every name the others, most similar first, ties by name. */
export function rankNames(names: readonly string[], similarity: Similarity): Map<string, string[]> {
  return new Map(
    names.map((one) => {
      const scored = names.filter((other) => other !== one).map((other) => ({ other, score: similarity(one, other) }));
      return [one, scored.sort((a, b) => b.score - a.score || (a.other < b.other ? -1 : 1)).map(({ other }) => other)];
    }),
  );
}

/**
 * The options of one question.
 * @param ranked `rankNames` of the sub-categories of the truth's set and split
 * @throws Error where fewer than three others may stand beside the truth
 */
export function closedWorldOptions(
  truth: string,
  ranked: ReadonlyMap<string, readonly string[]>,
  seed: number,
): string[] {
  const allowed = (name: string): boolean => name === truth || !namesContain(name, truth);
  const near = (name: string): string[] => (ranked.get(name) ?? []).filter(allowed);
  const others = near(truth).length;
  if (others < OPTIONS - 1)
    throw new Error(
      `sub-category "${truth}": ${others} others may stand beside it in its set and split; ${OPTIONS - 1} needed`,
    );
  return drawOptions(truth, near, OPTIONS, NEAR, random(seed));
}

/** What to ask of a set. */
export interface QuestionRequest {
  setting: "closed" | "open";
  /** Asked of every image. */
  question: string;
  /** Options follow from it. */
  seed: number;
  /** Chooses distractors; needed in the closed world. */
  similarity?: Similarity;
}

/** One row a test image, in the order of the set; the same request gives the same rows. */
export function questionRows(
  set: ImageSet,
  split: Pick<SubcategorySplit, "seen" | "unseen">,
  request: QuestionRequest,
): SetRow[] {
  const { setting, question, seed, similarity } = request;
  if (setting === "closed" && similarity === undefined)
    throw new Error("questionRows: closed questions need a similarity of sub-categories");
  const rankings = similarity && {
    seen: rankNames(split.seen, similarity),
    unseen: rankNames(split.unseen, similarity),
  };
  const sides = new Map(
    (["seen", "unseen"] as const).flatMap((side) => split[side].map((name) => [name, side] as const)),
  );
  return set.images.flatMap((image) => {
    const side = sides.get(image.name);
    if (image.portion !== "test" || side === undefined) return [];
    const options =
      setting === "closed"
        ? { options: closedWorldOptions(image.name, rankings![side], foldIn(seed, "options", image.path)) }
        : {};
    return [
      {
        image_path: `${set.name}/${image.path}`,
        question,
        ...options,
        ground_truth: image.name,
        domain: set.name,
        split: side,
        setting,
      },
    ];
  });
}

/** The released rows as questions, their options shuffled by a seed per row unless the order is `released`. */
export function releasedQuestions(
  rows: readonly ReleasedRow[],
  of: { domain: string; split: "seen" | "unseen"; setting: "closed" | "open"; order?: OptionOrder; seed?: number },
): SetRow[] {
  const { domain, split, setting, order = "shuffled", seed = 0 } = of;
  return orderOptions(rows, order, seed).map(({ options, ...row }) => ({
    ...row,
    ...(setting === "closed" ? { options } : {}),
    domain,
    split,
    setting,
  }));
}

/**
 * Finds the image of every released row in the set's test portion, by file name.
 * @returns the images in the order of the rows, null where the set has none, with the rows whose sub-category is another one there
 */
export function linkReleased(
  set: ImageSet,
  rows: readonly ReleasedRow[],
): { images: (SetImage | null)[]; disagree: ReleasedRow[] } {
  const last = (file: string): string => file.slice(file.lastIndexOf("/") + 1);
  const tests = new Map(
    set.images.filter((image) => image.portion === "test").map((image) => [last(image.path), image]),
  );
  const images = rows.map((row) => tests.get(last(row.image_path)) ?? null);
  return { images, disagree: rows.filter((row, i) => images[i] !== null && images[i]!.name !== row.ground_truth) };
}
