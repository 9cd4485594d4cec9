/** What dev predicted, beside what was found on the test group. */
import { plannedInterval } from "../../eval/seeds";
import type { TableRow } from "../../report/tables";
import type { Interval } from "../../eval/intervals";
import { allDifferences, intervalText, points, size } from "./contrast-text";
import type { Tested } from "./hypotheses";

const halfOf = ({ low, high }: Interval): number => (high - low) / 2;

/**
 * One line for each difference that both groups have: dev's with its interval, half the interval that dev's seeds would
 * have at the test group's number of sub-categories, and the test group's difference with its interval and half of it.
 */
export function besideDevLines(test: readonly Tested[], dev: readonly Tested[]): TableRow[] {
  const before = allDifferences(dev);
  return allDifferences(test).flatMap(({ label, columns, of }) => {
    const predicted = before.find((one) => one.label === label)?.of;
    if (!predicted) return [];
    const planned = plannedInterval(predicted.paired, {
      seeds: predicted.seeds.length,
      subcategories: of.paired.subcategories.length,
    });
    return {
      ...columns,
      "on dev": points(predicted.difference),
      "dev, 95 %": intervalText(predicted),
      "half width expected": size(halfOf(planned)),
      "on test": points(of.difference),
      "test, 95 %": intervalText(of),
      "half width": size(halfOf(of)),
    };
  });
}
