/** The hypotheses' tables: their tests, and which effects their intervals exclude. */
import type { Interval } from "../../eval/intervals";
import type { TableRow } from "../../report/tables";
import type { Compared } from "./contrasts";
import { allDifferences, contrastColumns, intervalText, points, pText, size } from "./contrast-text";
import { HYPOTHESES, type Tested } from "./hypotheses";

/** One line a difference. */
export function testLines(tested: readonly Tested[]): TableRow[] {
  return tested.flatMap(({ hypothesis, differences, holm, holds }) =>
    differences.map((of) => ({
      hypothesis: hypothesis.name,
      ...contrastColumns(of),
      points: points(of.difference),
      "95 %": intervalText(of),
      p: pText(of.p),
      "p (Holm)": pText(holm),
      holds: holds ? "yes" : "no",
    })),
  );
}

/** Numbers to ten in words. */
const NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/** What one has to know to read the tests; nothing where there are none. */
export function testNotes(tested: readonly Tested[]): string[] {
  if (tested.length === 0) return [];
  const isTested = (name: string): boolean => tested.some(({ hypothesis }) => hypothesis.name === name);
  const missing = HYPOTHESES.map(({ name }) => name).filter((name) => !isTested(name));
  return [
    "p is two-sided; where the difference is against the claim the test counts as p = 1. That is no evidence that there is no difference: see the interval.",
    ...(missing.length === 0
      ? []
      : [
          `Not tested yet, because results are missing: ${missing.join(", ")}. Holm's method corrects for all ${NUMBERS[HYPOTHESES.length]} hypotheses all the same.`,
        ]),
    ...(isTested("H7") ? ["H7 is read only if H2 holds: without a gain there is nothing that could carry over."] : []),
  ];
}

/** Margins of the addendum, in [0, 1]: the protocol's width, and twice that. */
const MARGINS = [0.015, 0.03] as const;

/** The effects outside an interval, in words: gains are above 0, losses below. */
export function excludedEffects({ low, high }: Interval): string {
  const [least, most] = [size(low), size(high)];
  if (low > 0) return `gains above ${most}, gains below ${least}, losses`;
  if (high < 0) return `losses above ${least}, losses below ${most}, gains`;
  return `gains above ${most}, losses above ${least}`;
}

/** The 90 % interval: with one seed the bootstrap's, with more the crossed model's. */
export const interval90Of = ({ crossed, interval90 }: Compared): Interval => crossed?.interval90 ?? interval90;

export function excludedLines(tested: readonly Tested[]): TableRow[] {
  return allDifferences(tested).map(({ columns, of }) => {
    const interval = interval90Of(of);
    return {
      ...columns,
      points: points(of.difference),
      "95 % crossed": of.crossed ? intervalText(of.crossed.interval95) : "-",
      "90 %": intervalText(interval),
      "excluded, in points": excludedEffects(interval),
      ...Object.fromEntries(
        MARGINS.map((margin) => [
          `equivalent within ${100 * margin}`,
          -margin < interval.low && interval.high < margin ? "yes" : "not shown",
        ]),
      ),
    };
  });
}

export const EXCLUDED_NOTE =
  "95 % crossed: the interval of a crossed random-effects model, seeds x sub-categories; not defined with one seed. 90 %: two one-sided tests at 5 %, of the crossed model, or with one seed of the bootstrap, which then speaks of that seed's models alone. Two methods are equivalent within a margin where this interval lies within it. None of it is corrected for the number of differences.";
