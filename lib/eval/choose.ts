/** Evaluation of models that compare an image with names, and say nothing: the most similar name is the answer. */
import { formatAnswer } from "../cot/rationale";
import type { Question } from "../benchmark/types";
import type { PredictionRow } from "./rows";

/** A row as such a model answers it; of one image set or another. */
export type ChoiceRow = Pick<
  Question,
  "image_path" | "question" | "options" | "ground_truth" | "domain" | "split" | "setting" | "designer"
>;

/** Embeddings of length 1 by image path and by name. */
export interface EmbeddingTable {
  images: ReadonlyMap<string, ArrayLike<number>>;
  names: ReadonlyMap<string, ArrayLike<number>>;
}

/**
 * The names a row may be answered with: its options, or every name of its domain (the open world, as a contrastive
 * model can play it).
 */
export function candidateNames(
  row: ChoiceRow,
  namesOfDomain: (domain: string) => readonly string[],
): readonly string[] {
  return row.options ?? namesOfDomain(row.domain);
}

/** Inner product. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length)
    throw new Error(`embeddings of ${a.length} and ${b.length} numbers; both must come from one model`);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/**
 * Answers every row by the most similar candidate (the first of equals), in the form scoring reads.
 * @throws Error where an image or a name has no embedding, or a row no candidate
 */
export function chooseNames(
  rows: readonly ChoiceRow[],
  table: EmbeddingTable,
  of: { method: string; seed: number; namesOfDomain: (domain: string) => readonly string[] },
): PredictionRow[] {
  const lookup = (map: ReadonlyMap<string, ArrayLike<number>>, key: string, what: string): ArrayLike<number> => {
    const found = map.get(key);
    if (!found) throw new Error(`chooseNames: no embedding of ${what} ${JSON.stringify(key)}`);
    return found;
  };
  return rows.map((row): PredictionRow => {
    const names = candidateNames(row, of.namesOfDomain);
    if (names.length === 0) throw new Error(`chooseNames: ${row.image_path} has no candidates`);
    const image = lookup(table.images, row.image_path, "image");
    let [best, highest] = [names[0], -Infinity];
    for (const name of names) {
      const similarity = dot(image, lookup(table.names, name, "name"));
      if (similarity > highest) [best, highest] = [name, similarity];
    }
    return {
      method: of.method,
      seed: of.seed,
      domain: row.domain,
      split: row.split,
      setting: row.setting,
      image_path: row.image_path,
      question: row.question,
      ...(row.options ? { options: [...row.options] } : {}),
      ground_truth: row.ground_truth,
      output: formatAnswer(best),
      ...(row.designer === undefined ? {} : { designer: row.designer }),
    };
  });
}
