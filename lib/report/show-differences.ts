/** The questions on which two methods differ: image, truth, and what each wrote. */
import type { Benchmark } from "../benchmark/types";
import { confusedWith, namesByDomain } from "../eval/confusions";
import { scoreRow } from "../eval/score";
import type { PredictionRow, Setting } from "../eval/rows";
import { uprightImage } from "../processor/image-decode";
import { methodFacts } from "../train/methods";
import { escapeHtml } from "../util/escape-html";
import { imageHtml } from "./image-strip";
import { show } from "./notebook";

/** A question that one of two methods answered rightly. */
export interface Difference {
  first: PredictionRow;
  second: PredictionRow;
  /** Which of the two is right. */
  right: "first" | "second";
}

/** Questions of which exactly one method's answer is right, in the order of `rows`. */
export function differences(rows: readonly PredictionRow[], [first, second]: readonly [string, string]): Difference[] {
  const keyOf = ({ image_path, question, setting, seed }: PredictionRow): string =>
    JSON.stringify([image_path, question, setting, seed]);
  const others = new Map(rows.filter(({ method }) => method === second).map((row) => [keyOf(row), row]));
  return rows.flatMap((row) => {
    const other = row.method === first ? others.get(keyOf(row)) : undefined;
    if (!other) return [];
    const [a, b] = [row, other].map((one) => scoreRow(one, one.setting).substring);
    return a === b ? [] : [{ first: row, second: other, right: a ? ("first" as const) : ("second" as const) }];
  });
}

/** Which differences are of interest; what is absent does not matter. */
export interface DifferenceFilter {
  setting?: Setting;
  /** Name of the true sub-category. */
  subcategory?: string;
  /** A truth, and the other sub-category that one of the two methods answered. */
  pair?: { truth: string; answer: string };
}

export interface DifferenceOptions extends DifferenceFilter {
  benchmark: Pick<Benchmark, "images">;
  /** Whose images were asked about (`eval.role`). */
  role: "dev" | "test";
  /** Questions shown, 6 unless given; the number of the others is said. */
  limit?: number;
}

/** The differences that a filter lets through. @param rows all rows: the names of domains are theirs */
export function filteredDifferences(
  rows: readonly PredictionRow[],
  methods: readonly [string, string],
  { setting, subcategory, pair }: DifferenceFilter,
): Difference[] {
  const names = pair === undefined ? null : namesByDomain(rows);
  return differences(rows, methods).filter(({ first, second }) => {
    const { ground_truth, domain } = first;
    if (setting !== undefined && first.setting !== setting) return false;
    if (subcategory !== undefined && ground_truth !== subcategory) return false;
    if (pair === undefined) return true;
    const known = names?.get(domain) ?? [];
    return ground_truth === pair.truth && [first, second].some((row) => confusedWith(row, known) === pair.answer);
  });
}

/** Height of an image, pixels. */
const SIZE = 96;

async function picture(file: string | null | undefined, name: string): Promise<string> {
  if (!file) return "";
  const bytes = await (await uprightImage(file)).resize(SIZE, SIZE, { fit: "inside" }).png().toBuffer();
  return imageHtml(bytes, name);
}

/** Questions that two methods answer differently, as HTML and as text: those that the first has right first. */
export async function renderDifferences(
  rows: readonly PredictionRow[],
  methods: readonly [string, string],
  { benchmark, role, limit = 6, ...filter }: DifferenceOptions,
): Promise<{ html: string; text: string }> {
  const found = filteredDifferences(rows, methods, filter);
  const wins = found.filter(({ right }) => right === "first");
  const losses = found.filter(({ right }) => right === "second");
  const shown = [...wins.slice(0, Math.ceil(limit / 2)), ...losses.slice(0, Math.floor(limit / 2))];
  const files = new Map(benchmark.images(role).map(({ id, file }) => [id, file]));
  const labels = methods.map((method) => methodFacts(method)?.label ?? method);
  if (shown.length === 0) {
    const none = `No question that one of ${labels.join(" and ")} has right and the other wrong.`;
    return { html: `<div>${escapeHtml(none)}</div>`, text: none };
  }
  const heading = `${labels[0]} alone is right on ${wins.length}, ${labels[1]} alone on ${losses.length}; ${shown.length} of them:`;
  const lines = await Promise.all(
    shown.map(async ({ first, second, right }) => {
      const cell = (row: PredictionRow, isRight: boolean): string =>
        `<td style="text-align:left;vertical-align:top"><b>${isRight ? "right" : "wrong"}</b><br>${escapeHtml(row.output)}</td>`;
      const image = await picture(files.get(first.image_path), first.ground_truth);
      const truth = `${escapeHtml(first.ground_truth)}<br>${first.setting}, ${first.split}`;
      return `<tr><td>${image}<br>${truth}</td>${cell(first, right === "first")}${cell(second, right === "second")}</tr>`;
    }),
  );
  const head = ["image, truth", ...labels].map((label) => `<th style="text-align:left">${escapeHtml(label)}</th>`);
  const text = shown.map(
    ({ first, second, right }) =>
      `${first.ground_truth}: ${right === "first" ? labels[0] : labels[1]} is right\n  ${first.output}\n  ${second.output}`,
  );
  return {
    html: `<div>${escapeHtml(heading)}</div><table><thead><tr>${head.join("")}</tr></thead><tbody>${lines.join("")}</tbody></table>`,
    text: [heading, ...text].join("\n"),
  };
}

/** Shows questions that `first` and `second` answer differently, those that `first` has right first. */
export async function showDifferences(
  rows: readonly PredictionRow[],
  methods: readonly [string, string],
  options: DifferenceOptions,
): Promise<void> {
  const { html, text } = await renderDifferences(rows, methods, options);
  show({ "text/html": html, "text/plain": text });
}
