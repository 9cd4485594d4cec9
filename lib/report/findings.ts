/** What a comparison of methods found, in sentences that the rows decide. */
import { pairedBootstrap, pairRows, type Difference, type Metric } from "../eval/compare";
import type { PredictionRow, Setting, Split } from "../eval/rows";
import { scoreRow } from "../eval/score";
import { average } from "../util/sums";
import { escapeMarkdown } from "./escape-markdown";
import { methodStyle } from "./figures-theme";
import { showMarkdown } from "./notebook";

/** Rows of one world or split; absent for both. */
export interface FindingOptions {
  setting?: Setting;
  split?: Split;
  metric?: Metric;
}

/** A method's name as it stands in Markdown. */
const nameOf = (method: string): string => escapeMarkdown(methodStyle(method).label);

const points = (x: number): string => `${x < 0 ? "−" : "+"}${Math.abs(100 * x).toFixed(1)}`;

const isOf =
  ({ setting, split }: FindingOptions) =>
  (row: PredictionRow): boolean =>
    (setting === undefined || row.setting === setting) && (split === undefined || row.split === split);

/** Where the rows are from, in words: `in the open world, on unseen sub-categories`. */
function where({ setting, split }: FindingOptions): string {
  const parts = [
    ...(setting === undefined ? [] : [`in the ${setting} world`]),
    ...(split === undefined ? [] : [`on ${split} sub-categories`]),
  ];
  return parts.length === 0 ? "over both worlds, seen and unseen" : parts.join(", ");
}

/**
 * One sentence on two methods: which is ahead by how many points with the 95 % interval (paired bootstrap over
 * sub-categories), or that the rows do not tell them apart. Null where they share no question.
 */
export function finding(
  rows: readonly PredictionRow[],
  [first, second]: readonly [string, string],
  options: FindingOptions = {},
): string | null {
  const own = rows.filter(isOf(options));
  const of = (method: string): PredictionRow[] => own.filter((row) => row.method === method);
  const { pairs } = pairRows(of(first), of(second), options.metric);
  if (pairs.length === 0) return null;
  const { difference, low, high, n }: Difference = pairedBootstrap(pairs);
  const [a, b] = [first, second].map(nameOf);
  const numbers = `${points(difference)} points, 95 % interval ${points(low)} to ${points(high)}, ${n} questions`;
  if (low > 0) return `**${a} is ahead of ${b}** ${where(options)} (${numbers}).`;
  if (high < 0) return `**${b} is ahead of ${a}** ${where(options)} (${a} minus ${b}: ${numbers}).`;
  return `**${a} and ${b} are not told apart** ${where(options)} (${numbers}).`;
}

/** One sentence on the difference between seen and unseen sub-categories, in points; null without either. */
export function fallToUnseen(rows: readonly PredictionRow[], method: string, setting: Setting): string | null {
  const accuracy = (split: Split): number | null => {
    const own = rows.filter((row) => row.method === method && row.setting === setting && row.split === split);
    return own.length === 0 ? null : own.filter((row) => scoreRow(row, setting).substring).length / own.length;
  };
  const [seen, unseen] = [accuracy("seen"), accuracy("unseen")];
  if (seen === null || unseen === null) return null;
  const by = `${Math.abs(100 * (unseen - seen)).toFixed(1)} points ${unseen < seen ? "lower" : "higher"}`;
  const numbers = `${(100 * seen).toFixed(1)} % seen, ${(100 * unseen).toFixed(1)} % unseen`;
  return `${nameOf(method)} is ${by} on unseen than on seen sub-categories in the ${setting} world (${numbers}).`;
}

/** Numbers that a training logs at each step. */
type Logged = Readonly<Record<string, unknown>>;

/** The mean of a metric over rows that have it; null where none has. */
function meanOf(rows: readonly object[], metric: string): number | null {
  const values = rows.map((row) => (row as Logged)[metric]).filter((x): x is number => typeof x === "number");
  return values.length === 0 ? null : average(values);
}

/**
 * One sentence on how a metric changed over a training: its mean over the first and over the last quarter of the steps.
 * Null where it was not logged.
 */
export function changeInTraining(
  log: readonly object[],
  { name, metric, label = metric, digits = 3 }: { name: string; metric: string; label?: string; digits?: number },
): string | null {
  const quarter = Math.max(1, Math.floor(log.length / 4));
  const [first, last] = [meanOf(log.slice(0, quarter), metric), meanOf(log.slice(-quarter), metric)];
  if (first === null || last === null) return null;
  const steps = quarter === 1 ? "step" : `${quarter} steps`;
  return `${name}: ${label} from ${first.toFixed(digits)} in the first ${steps} to ${last.toFixed(digits)} in the last.`;
}

/** Shows findings as a list; those that are null are left out. */
export function showFindings(sentences: readonly (string | null)[]): void {
  const found = sentences.filter((sentence) => sentence !== null);
  showMarkdown(found.length === 0 ? "Nothing to compare." : found.map((sentence) => `- ${sentence}`).join("\n"));
}
