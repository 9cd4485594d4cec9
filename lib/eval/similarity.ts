/**
 * Semantic similarity of open-world answers (paper, section 4.1): SigLIP's text tower says how close an answer is to
 * the truth.
 */
import { normaliseName } from "../reward/listing";
import { dot } from "./choose";
import { meanAndDeviation, Z95, type Interval } from "./intervals";
import type { OnnxTowers } from "./onnx";
import type { ScorableRow } from "./rows";
import { scoreRow, superCategory } from "./score";

/**
 * `max(0, (s - s0) / (1 - s0))`: s is the cosine of answer and truth, s0 that of the super-category's word and the
 * truth, so that saying "a bird" to every bird scores 0. Where the word says as much as the truth itself, only an
 * answer that equals it scores.
 */
export function normalisedSimilarity(s: number, s0: number): number {
  if (s0 >= 1 - 1e-6) return s >= 1 - 1e-6 ? 1 : 0;
  return Math.min(1, Math.max(0, (s - s0) / (1 - s0)));
}

/**
 * A similarity in [0, 1] for every row; an empty answer has 0. Texts are compared in lower case, `_` read as a space;
 * each is embedded once.
 */
export async function semanticSimilarities(
  rows: readonly ScorableRow[],
  towers: Pick<OnnxTowers, "texts">,
): Promise<number[]> {
  const triples = rows.map((row) => {
    const { answer } = scoreRow(row, "open");
    return answer === null
      ? null
      : {
          answer: normaliseName(answer).trim(),
          truth: normaliseName(row.ground_truth).trim(),
          word: superCategory(row.image_path),
        };
  });
  const texts = [...new Set(triples.flatMap((t) => (t ? [t.answer, t.truth, t.word] : [])))];
  const vectors = new Map((await towers.texts(texts)).map((vector, i) => [texts[i], vector]));
  const cosine = (a: string, b: string): number => dot(vectors.get(a)!, vectors.get(b)!);
  return triples.map((t) => (t ? normalisedSimilarity(cosine(t.answer, t.truth), cosine(t.word, t.truth)) : 0));
}

/** The mean of similarities with its 95 % interval (normal, from their deviation). @throws Error without values */
export function meanSimilarity(values: readonly number[]): Interval & { n: number; mean: number } {
  const { mean, deviation } = meanAndDeviation(values);
  const half = (Z95 * deviation) / Math.sqrt(values.length);
  return { n: values.length, mean, low: Math.max(0, mean - half), high: Math.min(1, mean + half) };
}
