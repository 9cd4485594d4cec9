/** The questions on which two methods differ: image, truth, and what each wrote. */
import type { Benchmark } from "../benchmark/types";
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

export interface DifferenceOptions {
  benchmark: Pick<Benchmark, "images">;
  /** Whose images were asked about (`eval.role`). */
  role: "dev" | "test";
  setting?: Setting;
  /** Questions shown, 6 unless given; the number of the others is said. */
  limit?: number;
}

/** Height of an image, pixels. */
const SIZE = 96;

async function picture(file: string | null | undefined, name: string): Promise<string> {
  if (!file) return "";
  const bytes = await (await uprightImage(file)).resize(SIZE, SIZE, { fit: "inside" }).png().toBuffer();
  return imageHtml(bytes, name);
}

/** Shows questions that `first` and `second` answer differently, those that `first` has right first. */
export async function showDifferences(
  rows: readonly PredictionRow[],
  methods: readonly [string, string],
  { benchmark, role, setting, limit = 6 }: DifferenceOptions,
): Promise<void> {
  const found = differences(rows, methods).filter(({ first }) => setting === undefined || first.setting === setting);
  const wins = found.filter(({ right }) => right === "first");
  const losses = found.filter(({ right }) => right === "second");
  const shown = [...wins.slice(0, Math.ceil(limit / 2)), ...losses.slice(0, Math.floor(limit / 2))];
  const files = new Map(benchmark.images(role).map(({ id, file }) => [id, file]));
  const labels = methods.map((method) => methodFacts(method)?.label ?? method);
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
  show({
    "text/html": `<div>${escapeHtml(heading)}</div><table><thead><tr>${head.join("")}</tr></thead><tbody>${lines.join("")}</tbody></table>`,
    "text/plain": [heading, ...text].join("\n"),
  });
}
