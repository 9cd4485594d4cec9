/** The links of the chain as a table: the mean over seeds. */
import type { TableRow } from "../../report/tables";
import { average } from "../../util/sums";
import type { Link } from "./links";

/** A cell's accuracy of one method and seed under one condition. */
export interface SeedLink extends Link {
  method: string;
  seed: number;
}

/** One line a method and condition, in the order of the links; accuracy in %, the plain mean over the seeds. */
export function linkLines(links: readonly SeedLink[]): TableRow[] {
  const groups = new Map<string, SeedLink[]>();
  for (const link of links) {
    const key = JSON.stringify([link.method, link.given]);
    groups.set(key, [...(groups.get(key) ?? []), link]);
  }
  return [...groups.values()].map((group): TableRow => {
    const cells = new Map<string, number[]>();
    for (const { setting, split, accuracy } of group) {
      const name = `${setting} ${split}`;
      cells.set(name, [...(cells.get(name) ?? []), accuracy]);
    }
    return {
      method: group[0].method,
      given: group[0].given,
      seeds: new Set(group.map(({ seed }) => seed)).size,
      ...Object.fromEntries([...cells].map(([name, values]) => [name, (100 * average(values)).toFixed(1)])),
    };
  });
}
