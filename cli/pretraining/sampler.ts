/** Which concept a row is about. */
import type { Knowledge } from "../../lib/benchmark/emoji-fgvr/knowledge";

/**
 * Draws concepts by weight.
 * @param evaluatedWeight sub-categories of the benchmark are drawn this many times as often as other concepts
 * @returns the concept for a uniform number in [0, 1)
 */
export function sampler(knowledge: readonly Knowledge[], evaluatedWeight: number): (u: number) => Knowledge {
  let total = 0;
  const cumulative = knowledge.map((k) => (total += k.evaluated ? evaluatedWeight : 1));
  return (u) => knowledge[cumulative.findIndex((c) => u * total < c)] ?? knowledge[knowledge.length - 1];
}
