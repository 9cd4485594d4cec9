/**
 * Options of a closed question, drawn so that the options alone don't tell the truth. Taking the truth's own nearest
 * neighbours makes it the centre of its options: a model without the image then answers 41 % right instead of 25 %
 * (measured; docs/log.md).
 */
import { random, type Random } from "../util/random";
import { namesContain } from "../formats/names";
import type { Neighbours } from "./triplets";
import type { Subcategory } from "./types";

/** Options of a closed question where there are enough sub-categories. */
export const OPTIONS = 4;
/** How many nearest neighbours make a neighbourhood. */
const NEAR = 6;

/**
 * `count` members of one neighbourhood, the truth among them, shuffled. A centre is drawn: the truth itself once in
 * `count` times, else a member that has the truth among its `near` closest; the others are drawn from the centre's
 * `near` closest. So the truth is the centre about as often as any other option is.
 * @param neighbours the others of its kind, most similar first
 * @throws Error where the centre has too few neighbours
 */
export function drawOptions<T>(
  truth: T,
  neighbours: (member: T) => readonly T[],
  count: number,
  near: number,
  random: Random,
): T[] {
  const close = (member: T): readonly T[] => neighbours(member).slice(0, Math.max(near, count - 1));
  const centres = neighbours(truth).filter((other) => close(other).includes(truth));
  const centre = centres.length === 0 || random.uniform() < 1 / count ? truth : random.choice(centres);
  const chosen = centre === truth ? [truth] : [truth, centre];
  const pool = close(centre).filter((other) => !chosen.includes(other));
  return random.shuffle([...chosen, ...random.sample(pool, count - chosen.length)]);
}

/**
 * Names for a closed question: the truth and three similar others of its domain and split, shuffled. No option's name
 * contains the truth's or is contained in it, since an answer with the longer one would count as the shorter. Where the
 * domain has fewer sub-categories there are as many options as there are.
 * @param truth one of the objects that `neighbours` returns for others
 * @throws Error where no other sub-category may be an option
 */
export function closedOptions(truth: Subcategory, neighbours: Neighbours, seed: number): string[] {
  const allowed = (other: Subcategory): boolean =>
    other.split === truth.split && (other.id === truth.id || !namesContain(other.name, truth.name));
  const near = (of: Subcategory): Subcategory[] => neighbours(of).filter(allowed);
  const others = near(truth);
  const count = Math.min(OPTIONS, others.length + 1);
  if (count < 2)
    throw new Error(
      `sub-category "${truth.name}": no other ${truth.split} sub-category of ${truth.domain} may be an option; a closed question needs two on each side of the split (a seen/unseen file says which are which)`,
    );
  return drawOptions(truth, near, count, NEAR, random(seed)).map(({ name }) => name);
}

/** How many options the closed questions of some sub-categories have, at least: below four, tables say so. */
export function fewestOptions(subcategories: readonly Subcategory[], neighbours: Neighbours): number {
  return subcategories.reduce((fewest, truth) => {
    const others = neighbours(truth).filter((one) => one.split === truth.split && !namesContain(one.name, truth.name));
    return Math.min(fewest, others.length + 1);
  }, OPTIONS);
}
