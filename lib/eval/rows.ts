/** Prediction files: JSON Lines, one model output a row, from which every score is computed again without a model. */
import { existsSync, readdirSync } from "node:fs";
import { numberedLines, parseLine, readBytes, type BadRow } from "../util/lines";

/** What scoring needs; other fields of a row are kept and ignored. Field names are those on disk. */
export interface ScorableRow {
  image_path: string;
  question: string;
  ground_truth: string;
  /** The model's text, tags included; empty counts as wrong. */
  output: string;
  /** The options, in the order shown. */
  options?: string[];
}

export type Split = "seen" | "unseen";
export type Setting = "closed" | "open";

/** A row of this project's own runs. */
export interface PredictionRow extends ScorableRow {
  method: string;
  seed: number;
  domain: string;
  split: Split;
  setting: Setting;
  /** Who drew the image, where the image set has several designers. */
  designer?: string;
  /** Tokens generated, where known. */
  output_tokens?: number;
}

const isText = (x: unknown): x is string => typeof x === "string";

/** The reason why `row` cannot be scored, or null. Numbers are read as text, a null output as an empty one. */
function repair(row: unknown): string | null {
  if (typeof row !== "object" || row === null || Array.isArray(row)) return "not a JSON object";
  const fields = row as Record<string, unknown>;
  if (typeof fields.ground_truth === "number") fields.ground_truth = String(fields.ground_truth);
  if (fields.output === null) fields.output = "";
  for (const name of ["image_path", "question", "ground_truth", "output"]) {
    if (!isText(fields[name])) return `field "${name}" is ${fields[name] === undefined ? "missing" : "not a string"}`;
  }
  if ((fields.ground_truth as string).trim() === "") return 'field "ground_truth" is empty';
  if (fields.options === null) delete fields.options;
  const { options } = fields;
  if (options !== undefined && !(Array.isArray(options) && options.every(isText)))
    return 'field "options" is not a list of strings';
  return null;
}

/** The reason why a scorable row is not one of this project's runs, or null. */
function missingRunField(row: Partial<PredictionRow>): string | null {
  if (!isText(row.method) || row.method === "") return 'field "method" is missing';
  if (typeof row.seed !== "number" || !Number.isInteger(row.seed)) return 'field "seed" is not an integer';
  if (!isText(row.domain) || row.domain === "") return 'field "domain" is missing';
  if (row.split !== "seen" && row.split !== "unseen") return 'field "split" is neither "seen" nor "unseen"';
  if (row.setting !== "closed" && row.setting !== "open") return 'field "setting" is neither "closed" nor "open"';
  return null;
}

/** Parses JSON Lines bytes. Blank lines are passed over; everything else is a row or a bad line. */
export function parseRows(
  bytes: Uint8Array,
  file: string,
): { rows: ScorableRow[]; lines: number[]; skipped: BadRow[] } {
  const rows: ScorableRow[] = [];
  const lines: number[] = [];
  const skipped: BadRow[] = [];
  for (const numbered of numberedLines(bytes)) {
    const { line } = numbered;
    const parsed = parseLine(numbered);
    const reason = "reason" in parsed ? parsed.reason : repair(parsed.value);
    if (reason !== null) skipped.push({ file, line, reason });
    else if ("value" in parsed) {
      rows.push(parsed.value as ScorableRow);
      lines.push(line);
    }
  }
  return { rows, lines, skipped };
}

/**
 * Reads any prediction file.
 * @throws {Error} when the file cannot be read
 */
export function readRows(file: string): { rows: ScorableRow[]; lines: number[]; skipped: BadRow[] } {
  return parseRows(readBytes(file), file);
}

/** `parseRows` of this project's own predictions: method, seed, domain, split and setting are checked too. */
export function parsePredictions(bytes: Uint8Array, file: string): { rows: PredictionRow[]; skipped: BadRow[] } {
  const read = parseRows(bytes, file);
  const skipped = [...read.skipped];
  const rows = read.rows.flatMap((row, i) => {
    const own = row as PredictionRow;
    const reason = missingRunField(own);
    if (reason !== null) skipped.push({ file, line: read.lines[i], reason });
    return reason === null ? [own] : [];
  });
  return { rows, skipped };
}

/**
 * Reads every `*.jsonl` of a run's predictions, in order of their names.
 * @throws {Error} when the directory is missing or holds no such file
 */
export function readPredictions(directory: string): { rows: PredictionRow[]; skipped: BadRow[]; files: string[] } {
  if (!existsSync(directory))
    throw new Error(`no directory ${directory}; \`npm start\` makes the predictions of the main run`);
  const files = readdirSync(directory)
    .filter((name) => name.endsWith(".jsonl"))
    .sort()
    .map((name) => `${directory}/${name}`);
  if (files.length === 0) throw new Error(`no *.jsonl file in ${directory}`);
  const rows: PredictionRow[] = [];
  const skipped: BadRow[] = [];
  for (const file of files) {
    const read = parsePredictions(readBytes(file), file);
    rows.push(...read.rows);
    skipped.push(...read.skipped);
  }
  return { rows, skipped, files };
}
