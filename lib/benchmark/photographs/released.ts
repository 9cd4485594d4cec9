/**
 * The released evaluation rows: JSON Lines of `{image_path, question, options, ground_truth}`, the truth always first.
 */
import * as path from "node:path";
import { foldIn, random } from "../../util/random";
import { repositoryRoot } from "../../util/root";
import { badRows, numberedLines, parseLine, readBytes, type BadRow, type OnBadRow } from "../../util/lines";
import { plainName } from "../../formats/names";
import { checkedPath } from "./paths";
import type { SetName } from "../../formats/set-names";

/** A question with its options, as in the file. */
export interface ReleasedRow {
  image_path: string;
  question: string;
  ground_truth: string;
  options: string[];
}

/** What a file holds; `skipped` is in every summary. */
export interface ReleasedFile {
  rows: ReleasedRow[];
  /** The line of each row, from 1. */
  lines: number[];
  skipped: BadRow[];
}

export { namesContain, plainName } from "../../formats/names";

export type OptionOrder = "shuffled" | "released";

const isText = (x: unknown): x is string => typeof x === "string" && x.trim() !== "";

/** The reason why a value is no evaluation row, or null. Without options only where `needsOptions` is false. */
export function rowProblem(value: unknown, where: string, needsOptions = true): string | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "not a JSON object";
  const row = value as Partial<Record<keyof ReleasedRow, unknown>>;
  for (const field of ["image_path", "question", "ground_truth"] as const) {
    if (!isText(row[field])) return `field "${field}" is ${row[field] === undefined ? "missing" : "no text, or empty"}`;
  }
  try {
    checkedPath(row.image_path as string, where);
  } catch {
    return 'field "image_path" is no relative path without ".."';
  }
  const { options } = row;
  if (!needsOptions && (options === undefined || options === null)) return null;
  if (!Array.isArray(options) || options.length < 2 || !options.every(isText))
    return 'field "options" is no list of at least two texts';
  if (new Set(options).size !== options.length) return 'field "options" has an option twice';
  if (!(options as unknown[]).includes(row.ground_truth)) return 'field "options" lacks the ground truth';
  return null;
}

/**
 * Reads a file of evaluation rows.
 * @param onBadRow `stop` (default) throws at the first bad line; `skip` goes on and returns all of them
 * @throws Error naming file, line and field
 */
export function readReleased(file: string, onBadRow: OnBadRow = "stop"): ReleasedFile {
  const rows: ReleasedRow[] = [];
  const lines: number[] = [];
  const { skipped, add } = badRows(onBadRow);
  const first = new Map<string, number>();
  for (const numbered of numberedLines(readBytes(file))) {
    const { line } = numbered;
    const parsed = parseLine(numbered);
    let reason = "reason" in parsed ? parsed.reason : rowProblem(parsed.value, file);
    if (reason === null && "value" in parsed) {
      const { image_path, question, ground_truth, options } = parsed.value as ReleasedRow;
      const before = first.get(image_path);
      if (before === undefined) {
        first.set(image_path, line);
        const composed = options.map((option) => option.normalize("NFC"));
        rows.push({ image_path, question, ground_truth: ground_truth.normalize("NFC"), options: composed });
        lines.push(line);
      } else reason = `image ${image_path} stands in line ${before} already`;
    }
    if (reason !== null) add({ file, line, reason });
  }
  return { rows, lines, skipped };
}

/** The committed file of a set and split, absolute; it need not exist. */
export function releasedFile(name: SetName, split: "seen" | "unseen"): string {
  return path.join(repositoryRoot(), "data/released/eval", `${name}_${split}.jsonl`);
}

/** What a file of rows is like. */
export interface ReleasedSummary {
  rows: number;
  skipped: number;
  subcategories: number;
  /** Rows whose first option is the truth. */
  truthFirst: number;
  /** Rows of which a wrong option contains the truth's name, and would count as right. */
  ambiguous: number;
}

/** Counts of a file, `skipped` among them. */
export function summariseReleased({ rows, skipped }: Pick<ReleasedFile, "rows" | "skipped">): ReleasedSummary {
  return {
    rows: rows.length,
    skipped: skipped.length,
    subcategories: new Set(rows.map((row) => row.ground_truth)).size,
    truthFirst: rows.filter((row) => row.options[0] === row.ground_truth).length,
    ambiguous: rows.filter((row) =>
      row.options.some(
        (option) => option !== row.ground_truth && plainName(option).includes(plainName(row.ground_truth)),
      ),
    ).length,
  };
}

/**
 * The rows with their options in another order: by a seed per image, or (`released`) as in the file, the truth first.
 */
export function orderOptions(rows: readonly ReleasedRow[], order: OptionOrder, seed = 0): ReleasedRow[] {
  return rows.map((row) => ({
    ...row,
    options:
      order === "released" ? [...row.options] : random(foldIn(seed, "options", row.image_path)).shuffle(row.options),
  }));
}
