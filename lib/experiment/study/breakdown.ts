/** The hypotheses' differences seed by seed, and domain by domain. */
import { TIE } from "../../eval/seeds";
import { compareText } from "../../util/text";
import type { TableRow } from "../../report/tables";
import { allDifferences, points, size } from "./contrast-text";
import type { Compared } from "./contrasts";
import type { Tested } from "./hypotheses";

/** One line a difference: its seeds, how many are above 0, and the standard deviation between seeds. */
export function seedLines(tested: readonly Tested[]): TableRow[] {
  const all = allDifferences(tested);
  const seeds = [...new Set(all.flatMap(({ of }) => of.seeds))].sort((a, b) => a - b);
  return all.map(({ columns, of }) => ({
    ...columns,
    ...Object.fromEntries(
      seeds.map((seed) => {
        const at = of.seeds.indexOf(seed);
        return [`seed ${seed}`, at === -1 ? "-" : points(of.bySeed[at])];
      }),
    ),
    "above 0": `${of.bySeed.filter((difference) => difference > TIE).length} of ${of.seeds.length}`,
    "deviation of seeds": of.crossed ? size(of.crossed.seedDeviation) : "-",
  }));
}

export const SEEDS_NOTE =
  "Differences in points. The deviation is the standard deviation between seeds that the crossed model estimates, without the noise of the questions; one seed has none.";

/** The least and the most that a difference is when one domain is left out, and which; null with one domain. */
export function leftOut({ byDomain }: Compared): { least: [string, number]; most: [string, number] } | null {
  const all = byDomain
    .filter(({ without }) => Number.isFinite(without))
    .map(({ domain, without }): [string, number] => [domain, without])
    .sort(([, a], [, b]) => a - b);
  return all.length === 0 ? null : { least: all[0], most: all.at(-1)! };
}

/** One line a domain, a column a difference, with the number of sub-categories; then the range without one domain. */
export function domainLines(tested: readonly Tested[]): TableRow[] {
  const all = allDifferences(tested);
  if (all.length === 0) return [];
  const domains = [...new Set(all.flatMap(({ of }) => of.byDomain.map(({ domain }) => domain)))].sort(compareText);
  const line = (domain: string, cell: (of: Compared) => string): TableRow => ({
    domain,
    ...Object.fromEntries(all.map(({ label, of }) => [label, cell(of)])),
  });
  const range = (name: "least" | "most"): TableRow =>
    line(`without one: ${name}`, (of) => {
      const found = leftOut(of)?.[name];
      return found ? `${points(found[1])} (${found[0]})` : "-";
    });
  return [
    ...domains.map((domain) =>
      line(domain, ({ byDomain }) => {
        const own = byDomain.find((one) => one.domain === domain);
        return own ? `${points(own.difference)} (${own.subcategories})` : "-";
      }),
    ),
    range("least"),
    range("most"),
  ];
}

export const DOMAINS_NOTE =
  "Differences in points, in brackets the number of sub-categories; then the least and the most that the whole difference is when one domain is left out, in brackets which.";
