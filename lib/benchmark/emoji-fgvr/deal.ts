/**
 * Deals the drawings of one sub-category out over the roles, at random: every designer draws for training and for test,
 * of different sub-categories. A family (one designer's sets, and drawings that look the same) never has two roles of
 * one sub-category.
 */
import { random } from "../../util/random";
import type { DesignerRole, Style } from "./types";

/** How many drawings of a sub-category have a role; what is left is for pre-training, at least `pretraining`. */
export interface Shares {
  readonly test: number;
  readonly fewshot: number;
  readonly pretraining: number;
}

const ATTEMPTS = 200;

/** Takes drawings of whole families, each role its number; null where that order of families does not fit. */
function tryDeal(families: readonly (readonly Style[])[], shares: Shares): Record<Style, DesignerRole> | null {
  const roles: Record<Style, DesignerRole> = {};
  const left = [...families];
  // each test drawing is of another family: two views of one designer would count as one
  for (let n = 0; n < shares.test; n++) {
    const family = left.shift();
    if (!family) return null;
    roles[family[0]] = "test";
  }
  let fewshot = 0;
  while (fewshot < shares.fewshot) {
    const family = left.shift();
    if (!family || fewshot + family.length > shares.fewshot) return null;
    for (const style of family) roles[style] = "fewshot";
    fewshot += family.length;
  }
  const rest = left.flat();
  if (rest.length < shares.pretraining) return null;
  for (const style of rest) roles[style] = "pretraining";
  return roles;
}

/**
 * @param families styles by family
 * @returns style -> role; a test family's further drawings have none. Null where no order of the families was found
 *   that fits
 */
export function dealRoles(
  families: readonly (readonly Style[])[],
  shares: Shares,
  seed: number,
): Record<Style, DesignerRole> | null {
  const r = random(seed);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const order = r.shuffle(families).map((family) => r.shuffle(family));
    const roles = tryDeal(order, shares);
    if (roles) return roles;
  }
  return null;
}

/** Families joined where `same` says that two of their drawings look alike. */
export function joinFamilies(
  families: readonly (readonly Style[])[],
  same: (a: Style, b: Style) => boolean,
): Style[][] {
  const joined: Style[][] = [];
  for (const family of families) {
    const alike = joined.filter((other) => other.some((a) => family.some((b) => same(a, b))));
    for (const other of alike) joined.splice(joined.indexOf(other), 1);
    joined.push([...alike.flat(), ...family]);
  }
  return joined;
}
