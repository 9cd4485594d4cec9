/** Which sub-categories are taken for which. */
import { namesIn, normaliseName } from "../reward/listing";
import type { PredictionRow, Setting } from "./rows";
import { scoreRow } from "./score";

/** A truth, and another sub-category of its domain that was answered. */
export interface ConfusionPair {
  domain: string;
  truth: string;
  answer: string;
  /** How often. */
  count: number;
}

/**
 * The sub-category that a wrong answer names, of `names`; null where it is right, names none, or names several.
 * @param names of the row's domain
 */
export function confusedWith(row: PredictionRow, names: readonly string[]): string | null {
  const { substring, answer } = scoreRow(row, row.setting);
  if (substring || answer === null) return null;
  const found = namesIn(answer, names);
  if (found.length !== 1) return null;
  return names.find((name) => normaliseName(name) === found[0]) ?? null;
}

/** Names of each domain: the truths and options of its rows, in their order. */
export function namesByDomain(rows: readonly PredictionRow[]): Map<string, string[]> {
  const names = new Map<string, Set<string>>();
  for (const { domain, ground_truth, options = [] } of rows) {
    const known = names.get(domain) ?? new Set();
    names.set(domain, known);
    [ground_truth, ...options].forEach((name) => known.add(name));
  }
  return new Map([...names].map(([domain, known]) => [domain, [...known]]));
}

/**
 * Counts pairs over rows of any methods, most frequent first, equal ones by name.
 * @param names of each domain: which answers are sub-categories
 */
export function countConfusions(
  rows: readonly PredictionRow[],
  names: ReadonlyMap<string, readonly string[]>,
): ConfusionPair[] {
  const pairs = new Map<string, ConfusionPair>();
  for (const row of rows) {
    const { domain, ground_truth: truth } = row;
    const answer = confusedWith(row, names.get(domain) ?? []);
    if (answer === null) continue;
    const key = JSON.stringify([domain, truth, answer]);
    const pair = pairs.get(key) ?? { domain, truth, answer, count: 0 };
    pairs.set(key, { ...pair, count: pair.count + 1 });
  }
  return [...pairs.values()].sort(byCount);
}

/**
 * How often a method answered which sub-category in place of the truth, most frequent first, equal ones by name.
 * Answers that name none or several of the domain's sub-categories are in no pair.
 * @param setting both worlds where it is absent
 */
export function confusionPairs(rows: readonly PredictionRow[], method: string, setting?: Setting): ConfusionPair[] {
  const own = rows.filter((row) => row.method === method && (setting === undefined || row.setting === setting));
  return countConfusions(own, namesByDomain(rows));
}

const textOf = ({ domain, truth, answer }: ConfusionPair): string => `${domain}\n${truth}\n${answer}`;

function byCount(a: ConfusionPair, b: ConfusionPair): number {
  return b.count - a.count || (textOf(a) < textOf(b) ? -1 : 1);
}
