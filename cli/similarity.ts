/**
 * `--similarity DIR` of `score` and `table`: the column where a text tower is at hand, else the reason why there is
 * none.
 */
import { openTowers } from "../lib/eval/onnx";
import { compareMethods } from "../lib/train/methods";
import type { PredictionRow, ScorableRow } from "../lib/eval/rows";
import { meanSimilarity, semanticSimilarities } from "../lib/eval/similarity";
import type { TableRow } from "../lib/report/tables";
import { note } from "./output";

/**
 * Similarities of open-world rows, or null with the reason on stderr: a missing model leaves out a column, not a table.
 */
export async function similaritiesOrReason(dir: string, rows: readonly ScorableRow[]): Promise<number[] | null> {
  if (rows.length === 0) {
    note("similarity left out: there are no open-world rows");
    return null;
  }
  try {
    const towers = await openTowers(dir, { vision: false });
    try {
      if (towers.kind !== "siglip")
        note(`similarity by ${dir}, which is no SigLIP model: the paper's numbers are of another one`);
      return await semanticSimilarities(rows, towers);
    } finally {
      await towers.close();
    }
  } catch (error) {
    note(`similarity left out: ${(error as Error).message}`);
    return null;
  }
}

/** Methods x (open seen, open unseen): mean similarity in %, with intervals. */
export function similarityTable(rows: readonly PredictionRow[], similarities: readonly number[]): TableRow[] {
  return [...new Set(rows.map((row) => row.method))].sort(compareMethods).map((method) => {
    const cell = (split: "seen" | "unseen"): string => {
      const own = similarities.filter((_, i) => rows[i].method === method && rows[i].split === split);
      if (own.length === 0) return "-";
      const { mean, low, high } = meanSimilarity(own);
      return `${(100 * mean).toFixed(1)} [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
    };
    return {
      method,
      n: rows.filter((row) => row.method === method).length,
      "similarity, open seen": cell("seen"),
      "open unseen": cell("unseen"),
    };
  });
}
