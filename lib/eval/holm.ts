/**
 * Holm's step-down correction (Holm 1979, "A simple sequentially rejective multiple test procedure"): adjusted p-values
 * of several hypotheses, in the order given. The family-wise error rate is at most the level they are compared with.
 * @param p each in [0, 1]
 * @param family number of hypotheses that are corrected for; more than `p` has where some cannot be tested yet, which
 *   count as p = 1
 * @throws Error on a value outside [0, 1], or a family smaller than `p`
 */
export function holm(p: readonly number[], family = p.length): number[] {
  const wrong = p.find((value) => !(value >= 0 && value <= 1));
  if (wrong !== undefined) throw new Error(`holm: p-value ${wrong}; expected a number from 0 to 1`);
  if (!(Number.isInteger(family) && family >= p.length))
    throw new Error(`holm: a family of ${family} hypotheses for ${p.length} p-values; expected as many or more`);
  const order = p.map((_, i) => i).sort((a, b) => p[a] - p[b]);
  const adjusted = new Array<number>(p.length);
  let largest = 0;
  order.forEach((i, rank) => {
    largest = Math.max(largest, Math.min(1, (family - rank) * p[i]));
    adjusted[i] = largest;
  });
  return adjusted;
}
