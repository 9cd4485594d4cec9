/** Tables for people: pivots of the results, paired tests, and markdown. */
import * as aq from "arquero";
import { mcnemar, pairedBootstrap, pairRows, type Metric } from "../eval/compare";
import type { Cell, OverviewRow } from "../eval/overview";
import { aggregateSeeds, type ResultRow } from "../eval/results";
import { compareMethods } from "../train/methods";
import type { PredictionRow, Setting, Split } from "../eval/rows";
import type { MethodSummary } from "../eval/summary";
import { average } from "../util/sums";
import { escapeCell } from "./escape-markdown";
import { methodStyle } from "./figures-theme";

/** A record of a printed table: column heading -> value. */
export type TableRow = Record<string, string | number | null>;

const percent = (x: number, digits = 1): string => (100 * x).toFixed(digits);

/**
 * Accuracy in %, methods down and domains across (arquero's pivot), for one split, setting and metric; seeds averaged.
 * The `mean` column is the plain mean of the domains, each counting the same: the paper's average over sets.
 */
export function domainPivot(
  table: readonly ResultRow[],
  of: { split: Split; setting: Setting; metric?: Metric },
): TableRow[] {
  const { split, setting, metric = "substring" } = of;
  const rows = aggregateSeeds(table)
    .filter((row) => row.split === split && row.setting === setting && row.metric === metric)
    .sort((a, b) => compareMethods(a.method, b.method));
  if (rows.length === 0) return [];
  const pivot = aq
    .from(rows.map(({ method, domain, accuracy }) => ({ method, domain, accuracy: Number(percent(accuracy)) })))
    .groupby("method")
    .pivot("domain", "accuracy", { sort: false })
    .objects() as TableRow[];
  return pivot.map((row) => {
    const own = rows.filter((r) => r.method === row.method && !r.domain.startsWith("all"));
    return { ...row, mean: Number(percent(average(own.map((r) => r.accuracy)))) };
  });
}

/** `62.5 [58.1, 66.7]`, with `±1.2` (deviation over seeds) where there are several; `-` for null. */
export function formatCell(cell: Cell | null, seeds: number): string {
  if (cell === null) return "-";
  const spread = seeds > 1 ? ` ±${percent(cell.deviation)}` : "";
  return `${percent(cell.accuracy)}${spread} [${percent(cell.low)}, ${percent(cell.high)}]`;
}

/** The overview as printed: methods x (closed seen, closed unseen, open seen, open unseen, mean), in %. */
export function overviewTable(rows: readonly OverviewRow[]): TableRow[] {
  return rows.map(({ method, seeds, cells, mean }) => ({
    method,
    seeds,
    "closed seen": formatCell(cells[0], seeds),
    "closed unseen": formatCell(cells[1], seeds),
    "open seen": formatCell(cells[2], seeds),
    "open unseen": formatCell(cells[3], seeds),
    mean: formatCell(mean, seeds),
  }));
}

/** Format, listing and length per method and setting, as printed. */
export function summaryTable(rows: readonly MethodSummary[]): TableRow[] {
  return rows.map(({ method, setting, n, format, answered, listing, length, lengthUnit }) => ({
    method,
    setting,
    n,
    "format %": percent(format),
    "answered %": percent(answered),
    "listing %": percent(listing),
    [`length (${lengthUnit})`]: length.toFixed(1),
  }));
}

const pValue = (p: number): string => (p < 0.001 ? "<0.001" : p.toFixed(3));

/**
 * Every method against `reference`, per setting and split: the difference of accuracies in points with its bootstrap
 * interval (all seeds, sub-categories drawn), and McNemar's test of each seed. A reference with one seed serves every
 * seed. Methods that share no image with it are left out.
 */
export function mcnemarTable(
  rows: readonly PredictionRow[],
  reference: string,
  metric: Metric = "substring",
): TableRow[] {
  const methods = [...new Set(rows.map((row) => row.method))]
    .filter((method) => method !== reference)
    .sort(compareMethods);
  const out: TableRow[] = [];
  for (const setting of ["closed", "open"] as const) {
    for (const split of ["seen", "unseen"] as const) {
      const of = (method: string): PredictionRow[] =>
        rows.filter((row) => row.method === method && row.setting === setting && row.split === split);
      const right = of(reference);
      const rightSeeds = [...new Set(right.map((row) => row.seed))];
      for (const method of methods) {
        const left = of(method);
        const { pairs } = pairRows(left, right, metric);
        if (pairs.length === 0) continue;
        const { difference, low, high } = pairedBootstrap(pairs);
        for (const seed of [...new Set(left.map((row) => row.seed))].sort((a, b) => a - b)) {
          if (rightSeeds.length > 1 && !rightSeeds.includes(seed)) continue;
          const partner = rightSeeds.length > 1 ? right.filter((row) => row.seed === seed) : right;
          const test = mcnemar(
            pairRows(
              left.filter((row) => row.seed === seed),
              partner,
              metric,
            ).pairs,
          );
          out.push({
            method,
            against: reference,
            setting,
            split,
            seed,
            n: test.n,
            "difference (points)": `${percent(difference)} [${percent(low)}, ${percent(high)}]`,
            "only this right": test.onlyA,
            "only the reference right": test.onlyB,
            "p exact": pValue(test.exact),
            "p mid": pValue(test.midP),
          });
        }
      }
    }
  }
  return out;
}

/** Rows as a markdown table, without HTML or links; numbers and cells that begin with one are aligned right. */
export function toMarkdown(rows: readonly TableRow[]): string {
  if (rows.length === 0) return "(no rows)\n";
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const text = (row: TableRow, column: string): string => escapeCell(String(row[column] ?? "-"));
  const right = columns.map((column) => rows.every((row) => /^[-+<]?(\d|$)/.test(text(row, column))));
  const titles = columns.map(escapeCell);
  const widths = columns.map((column, i) =>
    Math.max(3, titles[i].length, ...rows.map((row) => text(row, column).length)),
  );
  const pad = (value: string, i: number): string => (right[i] ? value.padStart(widths[i]) : value.padEnd(widths[i]));
  const lines = [
    titles.map(pad),
    widths.map((width, i) => (right[i] ? `${"-".repeat(width - 1)}:` : "-".repeat(width))),
    ...rows.map((row) => columns.map((column, i) => pad(text(row, column), i))),
  ];
  return `${lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`;
}

/** The same rows with methods under the names the figures use. */
export function withLabels(rows: readonly TableRow[]): TableRow[] {
  return rows.map((row) => ("method" in row ? { ...row, method: methodStyle(String(row.method)).label } : row));
}

/**
 * Says where methods were not asked the same questions, so that their accuracies are of different things: a line for
 * each world with the number of rows of each method. Empty where all were.
 */
export function unequalQuestions(rows: readonly PredictionRow[]): string[] {
  return (["closed", "open"] as const).flatMap((setting) => {
    const asked = new Map<string, Set<string>>();
    for (const row of rows.filter((one) => one.setting === setting)) {
      const own = asked.get(row.method) ?? new Set();
      asked.set(row.method, own.add(JSON.stringify([row.image_path, row.question, [...(row.options ?? [])].sort()])));
    }
    const [first, ...others] = [...asked.values()];
    const isSame = (set: ReadonlySet<string>): boolean =>
      set.size === first.size && [...set].every((key) => first.has(key));
    if (first === undefined || others.every(isSame)) return [];
    const counts = [...asked].map(([method, { size }]) => `${method} ${size}`).join(", ");
    return [`${setting} world: methods were not asked the same questions (${counts}); compare with care`];
  });
}
