/**
 * Options of a closed question, drawn so that the options alone don't tell the truth. Taking the truth's own nearest
 * neighbours makes it the centre of its options: a model without the image then answers 41 % right instead of 25 %
 * (measured; docs/log.md).
 */
import type { Random } from "../util/random";

/**
 * `count` members of one neighbourhood, the truth among them, shuffled. A centre is drawn: the truth itself once in
 * `count` times, else a concept that has the truth among its `near` closest; the others are drawn from the centre's
 * `near` closest. So the truth is the centre about as often as any other option is.
 * @param neighbours the others of its kind, most similar first
 * @throws Error where the centre has too few neighbours
 */
export function drawOptions<T>(
  truth: T,
  neighbours: (concept: T) => readonly T[],
  count: number,
  near: number,
  random: Random,
): T[] {
  const close = (concept: T): readonly T[] => neighbours(concept).slice(0, Math.max(near, count - 1));
  const centres = neighbours(truth).filter((other) => close(other).includes(truth));
  const centre = centres.length === 0 || random.uniform() < 1 / count ? truth : random.choice(centres);
  const chosen = centre === truth ? [truth] : [truth, centre];
  const pool = close(centre).filter((other) => !chosen.includes(other));
  return random.shuffle([...chosen, ...random.sample(pool, count - chosen.length)]);
}
