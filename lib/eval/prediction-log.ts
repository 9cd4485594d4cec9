/**
 * A predictions file that grows row by row and survives a kill: rows are appended whole, a manifest beside the file
 * says what they are answers to, and a last line that was cut off is dropped and answered again. One process writes it
 * at a time.
 */
import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import * as path from "node:path";
import { dropHalfLine } from "../util/append-log";
import { makeFolder, writeAll } from "../util/durable";
import { numberedLines, parseLine, readBytes } from "../util/lines";
import { hashOf } from "../rollout/request-cache";
import { readJsonObject, writeText } from "../util/files";
import { shownValue } from "../util/json-text";
import { acquireLock } from "../util/lock";
import type { PredictionRow } from "./rows";

/** A prediction with its place in the list of questions. */
export type LoggedRow = PredictionRow & { row: number };

/** An open file of predictions. */
export interface PredictionLog {
  /** Rows that an earlier run finished. */
  readonly finished: readonly LoggedRow[];
  /** Whether a last line was cut off and dropped. */
  readonly dropped: boolean;
  /** Appends rows in one write. @throws Error naming the file, where the disk is full */
  append(rows: readonly LoggedRow[]): void;
  /** Closes the file and gives its lock back; a second call does nothing. */
  close(): void;
}

/** The file beside the predictions that says what they answer. */
export const manifestFile = (file: string): string => `${file}.manifest.json`;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Longest value that is shown, characters: a hash is known by its first ones. */
const SHOWN = 40;

/** The first field in which two manifests differ, of a record inside by its whole name: `answerer.model`. */
function difference(before: Record<string, unknown>, now: Record<string, unknown>, within = ""): string {
  const field =
    [...new Set([...Object.keys(before), ...Object.keys(now)])].find(
      (name) => hashOf({ x: before[name] }) !== hashOf({ x: now[name] }),
    ) ?? "hash";
  const [was, is] = [before[field], now[field]];
  if (isRecord(was) && isRecord(is)) return difference(was, is, `${within}${field}.`);
  const short = (value: unknown): string => (value === undefined ? "nothing" : shownValue(value, SHOWN));
  return `${within}${field} was ${short(was)} and is ${short(is)}`;
}

/** Rows of the file, each with its end in bytes. @throws Error naming the line that is no row of `manifest` */
function readFinished(file: string, bytes: Buffer, questions: number): LoggedRow[] {
  const seen = new Map<number, number>();
  return numberedLines(bytes).map((numbered) => {
    const fail = (reason: string): never => {
      throw new Error(
        `${file}, line ${numbered.line}: ${reason}; the file was altered: mend the line, or start again (--restart)`,
      );
    };
    const parsed = parseLine(numbered);
    if ("reason" in parsed) return fail(parsed.reason);
    const row = parsed.value as LoggedRow | null;
    if (!Number.isInteger(row?.row) || row!.row < 0 || row!.row >= questions)
      return fail(`field "row" is no integer from 0 to ${questions - 1}`);
    const before = seen.get(row!.row);
    if (before !== undefined) return fail(`row ${row!.row} stands in line ${before} already`);
    seen.set(row!.row, numbered.line);
    return row!;
  });
}

/**
 * What is in a file of predictions already, its cut-off last line taken away.
 * @throws Error as `openPredictionLog`
 */
function resume(
  file: string,
  manifest: Record<string, unknown>,
  questions: number,
): Pick<PredictionLog, "finished" | "dropped"> {
  const beside = manifestFile(file);
  if (!existsSync(file)) return { finished: [], dropped: false };
  if (!existsSync(beside))
    throw new Error(
      `${file}: ${path.basename(beside)} is not beside it, so it can't be said what its rows answer; choose another --out, or start again (--restart)`,
    );
  const before = readJsonObject(beside);
  if (hashOf(before) !== hashOf(manifest))
    throw new Error(
      `${file} holds answers to something else: ${difference(before, manifest)}; choose another --out, or start again (--restart)`,
    );
  const dropped = dropHalfLine(file);
  return { finished: readFinished(file, readBytes(file), questions), dropped };
}

/**
 * Opens a file of predictions, or begins it, and locks it until `close`: two runs into one file would answer every
 * question twice and leave a file that neither can read.
 * @param manifest what the predictions depend on: model, questions, options of generation; plain JSON
 * @param questions how many there are
 * @param restart throws away what is there
 * @throws Error where another run has the file open (with who it is), or the file answers something else (with the
 * first difference), has no manifest, or has a bad line
 */
export function openPredictionLog(
  file: string,
  manifest: Record<string, unknown>,
  questions: number,
  restart = false,
): PredictionLog {
  makeFolder(path.dirname(file));
  const lock = acquireLock(file);
  try {
    const beside = manifestFile(file);
    if (restart) [file, beside].forEach((old) => rmSync(old, { force: true }));
    const { finished, dropped } = resume(file, manifest, questions);
    writeText(beside, `${JSON.stringify(manifest, null, 1)}\n`);
    const handle = openSync(file, "a");
    let open = true;
    return {
      finished,
      dropped,
      append: (rows) => {
        lock.check();
        writeAll(handle, rows.map((row) => `${JSON.stringify(row)}\n`).join(""), file);
      },
      close: () => {
        if (!open) return;
        open = false;
        closeSync(handle);
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}
