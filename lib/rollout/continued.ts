/** A prompt whose answer is already begun: the model goes on from some text of its own turn. */
import type { PromptRow } from "./types";

/**
 * The row with further text tokens at its end: no image among them, one position after another in all three rows.
 * @param begun tokens of the answer so far
 */
export function continued({ inputIds, positionIds, featureIndex }: PromptRow, begun: readonly number[]): PromptRow {
  const next = 1 + Math.max(...positionIds.map((row) => row[row.length - 1]));
  return {
    inputIds: [...inputIds, ...begun],
    positionIds: positionIds.map((row) => [...row, ...begun.map((_, i) => next + i)]),
    featureIndex: [...featureIndex, ...begun.map(() => -1)],
  };
}
