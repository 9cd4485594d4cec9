/**
 * Predictions of other evaluation tools as rows of this project: VLMEvalKit's files (xlsx, tsv, csv, json), samples of
 * lm-evaluation-harness and lmms-eval (`--log_samples`, jsonl), details of lighteval (`--save-details`, parquet). They
 * are joined with `answers.jsonl` of an export by `index`.
 */
import { statSync } from "node:fs";
import * as path from "node:path";
import { extractAnswer } from "../reward/extract";
import type { PredictionRow } from "../eval/rows";
import { rowGroups } from "../formats/parquet";
import { numberedLines, parseLine, readBytes, type BadRow } from "../util/lines";
import { rowsOf, separatedFields } from "./separated";
import { LETTERS, type Answer } from "./vlmevalkit";
import { sheetFields } from "./xlsx";

/** An answer to a question, by its index. */
export interface Prediction {
  index: number;
  output: string;
  /** Line or row of the file. */
  line: number;
}

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What an answer that was not obtained starts with in VLMEvalKit. */
const FAILED = /^Failed to obtain answer/;

function prediction(index: unknown, output: unknown, line: number): Prediction {
  const number = typeof index === "string" && index.trim() !== "" ? Number(index) : index;
  const whole = typeof number === "bigint" ? Number(number) : number;
  if (typeof whole !== "number" || !Number.isSafeInteger(whole) || whole < 0)
    throw new Error(`the index is ${JSON.stringify(String(index))}; expected a whole number of at least 0`);
  if (typeof output !== "string") throw new Error("the prediction is no text");
  if (FAILED.test(output)) throw new Error("the model gave no answer there (Failed to obtain answer)");
  return { index: whole, output, line };
}

/** The first text of what may be a list of lists: `resps` of lm-eval are responses by request. */
function firstText(value: unknown): unknown {
  return Array.isArray(value) ? firstText(value[0]) : value;
}

/** A sample of lm-eval or lmms-eval: its `doc` is the row that was asked, so it has the index. */
function sample(row: Json, line: number): Prediction {
  const doc = isObject(row.doc) ? row.doc : {};
  return prediction(doc.index ?? row.doc_id, firstText(row.resps ?? row.filtered_resps), line);
}

/** A detail of lighteval, in the columns that its documentation names. */
function detail(row: Json, line: number): Prediction {
  const doc = isObject(row.__doc__) ? row.__doc__ : {};
  const specific = isObject(doc.specific) ? doc.specific : {};
  const response = isObject(row.__model_response__) ? row.__model_response__ : {};
  return prediction(specific.index ?? doc.id, firstText(response.text), line);
}

/** Every row that `read` can use; the others with what is wrong. */
function each<T>(
  file: string,
  rows: readonly { row: T; line: number }[],
  read: (row: T, line: number) => Prediction,
): { predictions: Prediction[]; skipped: BadRow[] } {
  const predictions: Prediction[] = [];
  const skipped: BadRow[] = [];
  for (const { row, line } of rows)
    try {
      predictions.push(read(row, line));
    } catch (error) {
      skipped.push({ file, line, reason: (error as Error).message });
    }
  return { predictions, skipped };
}

/** Files of predictions are texts of some megabytes; one is in memory whole. Node's longest text is 512 MiB. */
const MOST_BYTES = 2 ** 29;

/** Rows of a file of which only some are in memory at a time. */
const MOST_ROWS = 2 ** 24;

/** A file's bytes. @throws Error where there are too many */
function bytesOf(file: string): Buffer {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MOST_BYTES)
    throw new Error(`${file}: ${size} bytes; at most ${MOST_BYTES} are read: split it, or save it as parquet`);
  return readBytes(file);
}

const numbered = <T>(rows: readonly T[], first: number): { row: T; line: number }[] =>
  rows.map((row, i) => ({ row, line: first + i }));

/** A table with columns `index` and `prediction`. */
function table(file: string, rows: readonly Json[], first: number): { predictions: Prediction[]; skipped: BadRow[] } {
  const columns = Object.keys(rows[0] ?? {});
  for (const name of ["index", "prediction"])
    if (!columns.includes(name))
      throw new Error(`${file}: no column ${name}; there are ${columns.slice(0, 12).join(", ") || "none"}`);
  return each(file, numbered(rows, first), (row, line) => prediction(row.index, row.prediction, line));
}

async function readDetails(file: string) {
  const predictions: Prediction[] = [];
  const skipped: BadRow[] = [];
  let first = 1;
  for await (const rows of rowGroups(file, ["__doc__", "__model_response__"], true)) {
    const read = each(file, numbered(rows, first), detail);
    for (const one of read.predictions) predictions.push(one);
    for (const one of read.skipped) skipped.push(one);
    first += rows.length;
    if (first > MOST_ROWS) throw new Error(`more than ${MOST_ROWS} rows; split the file`);
  }
  return { predictions, skipped };
}

function readSamples(file: string) {
  return each(
    file,
    numberedLines(bytesOf(file)).map((row) => ({ row, line: row.line })),
    (row, line) => {
      const parsed = parseLine(row);
      if ("reason" in parsed) throw new Error(parsed.reason);
      if (!isObject(parsed.value)) throw new Error("not a JSON object");
      const value = parsed.value;
      return "prediction" in value ? prediction(value.index, value.prediction, line) : sample(value, line);
    },
  );
}

const READERS: Readonly<Record<string, (file: string) => unknown>> = {
  ".xlsx": (file) => table(file, rowsOf(sheetFields(bytesOf(file))), 2),
  ".tsv": (file) => table(file, rowsOf(separatedFields(bytesOf(file).toString("utf8"))), 2),
  ".csv": (file) => table(file, rowsOf(separatedFields(bytesOf(file).toString("utf8"), ",")), 2),
  ".json": (file) => {
    const rows = JSON.parse(bytesOf(file).toString("utf8")) as unknown;
    if (!Array.isArray(rows) || !rows.every(isObject)) throw new Error("no list of objects");
    return table(file, rows, 1);
  },
  ".jsonl": readSamples,
  ".parquet": readDetails,
};

/**
 * Reads a file of predictions by the end of its name.
 * @throws Error naming the file where it cannot be read as such
 */
export async function readPredictionFile(file: string): Promise<{ predictions: Prediction[]; skipped: BadRow[] }> {
  const read = READERS[path.extname(file).toLowerCase()];
  if (!read) throw new Error(`${file}: expected a file that ends in ${Object.keys(READERS).join(", ")}`);
  try {
    return (await read(file)) as { predictions: Prediction[]; skipped: BadRow[] };
  } catch (error) {
    const { message } = error as Error;
    throw new Error(message.startsWith(file) ? message : `${file}: ${message}`, { cause: error });
  }
}

/**
 * The option that a letter stands for: an answer that is a letter (`B`, `(B)`, `B.`), or a letter with what it stands
 * for (`B. red fox`), in the answer's tags, else after the last `</think>`. Null where it is none; `A red fox` is none.
 */
export function optionOfLetter(output: string, options: readonly string[]): string | null {
  const text = (
    extractAnswer(output) ?? output.slice(output.lastIndexOf("</think>") + (output.includes("</think>") ? 8 : 1))
  )
    .trim()
    .replace(/^(?:the )?(?:correct )?(?:answer|option)(?: is)?\s*:?\s*/i, "")
    .trim();
  if (options.some((option) => option.toLowerCase() === text.toLowerCase())) return null; // it is a name itself
  const match = /^(?:\(([A-Z])\)|([A-Z]))(?:[.:)]?$|[.:)]\s+\S)/.exec(text);
  const letter = match?.[1] ?? match?.[2] ?? (/^\([A-Z]\)\s+\S/.test(text) ? text[1] : undefined);
  return letter === undefined ? null : (options[LETTERS.indexOf(letter)] ?? null);
}

/** `answers.jsonl` of an export. @throws Error where it is not there, or a line is none of it */
export function readAnswers(dir: string): Map<number, Answer> {
  const file = path.join(dir, "answers.jsonl");
  const answers = new Map<number, Answer>();
  for (const row of numberedLines(readBytes(file))) {
    const parsed = parseLine(row);
    const value = "value" in parsed ? (parsed.value as Partial<Answer> | null) : null;
    if (!isObject(value) || typeof value.index !== "number" || typeof value.ground_truth !== "string")
      throw new Error(`${file}, line ${row.line}: no answer of an export ("index", "ground_truth"); export it again`);
    answers.set(value.index, value as unknown as Answer);
  }
  return answers;
}

/** A row of predictions, with what the tool's file had where a letter was read as an option. */
export type JoinedRow = PredictionRow & { raw_output?: string };

/** Predictions with the questions they answer; what has none, or a second one, is left out. */
export function joinPredictions(
  answers: ReadonlyMap<number, Answer>,
  predictions: readonly Prediction[],
  { file, method, seed }: { file: string; method: string; seed: number },
): { rows: JoinedRow[]; skipped: BadRow[]; missing: number } {
  const rows: JoinedRow[] = [];
  const skipped: BadRow[] = [];
  const seen = new Set<number>();
  for (const { index, output, line } of predictions) {
    const answer = answers.get(index);
    if (!answer || seen.has(index)) {
      const reason = answer ? `index ${index} occurs again` : `no question has the index ${index}`;
      skipped.push({ file, line, reason });
      continue;
    }
    seen.add(index);
    const { index: _, ...question } = answer;
    const option = question.options ? optionOfLetter(output, question.options) : null;
    const said = option === null ? { output } : { output: `<answer>${option}</answer>`, raw_output: output };
    rows.push({ method, seed, ...question, ...said });
  }
  const settings = new Set(rows.map(({ setting }) => setting));
  const asked = [...answers.values()].filter(({ setting }) => settings.has(setting)).length;
  return { rows, skipped, missing: asked - rows.length };
}
