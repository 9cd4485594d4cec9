/** What one looks at beside accuracy: format, listing and length for every method. */
import { formatReward } from "../reward/format";
import { words } from "../reward/python-text";
import { compareMethods } from "../train/methods";
import { namesByDomain } from "./confusions";
import type { PredictionRow, Setting } from "./rows";
import { extractAnswer } from "../reward/extract";
import { scoreRow } from "./score";

export interface MethodSummary {
  method: string;
  setting: Setting;
  n: number;
  /** Share of outputs in the think-answer format. */
  format: number;
  /** Share of outputs with a non-empty answer tag. */
  answered: number;
  /** Share of answers naming two or more names: the options where closed, the domain's names where open. */
  listing: number;
  /** Mean length in tokens where every row says so, else in words. */
  length: number;
  lengthUnit: "tokens" | "words";
}

/** One line per method and setting, pooled over seeds, splits and domains. */
export function summariseMethods(rows: readonly PredictionRow[]): MethodSummary[] {
  const names = namesByDomain(rows);
  const groups = new Map<string, PredictionRow[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.method, row.setting]);
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  const lines = [...groups.values()].map((group): MethodSummary => {
    const share = (of: (row: PredictionRow) => boolean): number => group.filter(of).length / group.length;
    const inTokens = group.every((row) => typeof row.output_tokens === "number");
    const length = (row: PredictionRow): number => (inTokens ? row.output_tokens! : words(row.output).length);
    return {
      method: group[0].method,
      setting: group[0].setting,
      n: group.length,
      format: share((row) => formatReward(row.output) === 1),
      answered: share((row) => extractAnswer(row.output) !== null),
      listing: share((row) => scoreRow(row, row.setting, { names: names.get(row.domain) }).listing),
      length: group.reduce((sum, row) => sum + length(row), 0) / group.length,
      lengthUnit: inTokens ? "tokens" : "words",
    };
  });
  return lines.sort((a, b) => compareMethods(a.method, b.method) || (a.setting < b.setting ? -1 : 1));
}
