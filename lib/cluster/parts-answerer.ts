/**
 * Answers that parts of an evaluation have left, as an answerer: the evaluation that asks it writes the file that one
 * machine would have written.
 */
import { existsSync } from "node:fs";
import type { Answer, Answerer } from "../eval/answerers";
import { manifestFile, type LoggedRow } from "../eval/prediction-log";
import type { SkippedRow } from "../eval/runner";
import type { Question } from "../benchmark/types";
import { hashOf } from "../rollout/request-cache";
import { readJson, readJsonl, readJsonObject } from "../util/files";
import type { Slice } from "./part";

/** A part of an evaluation: its rows, and the predictions file that it left. */
export interface EvaluatedPart extends Slice {
  file: string;
}

/** The file beside a part's predictions that says which rows have none, and why. */
export const skippedFile = (file: string): string => `${file}.skipped.json`;

/** Fields of a manifest in which parts differ: the rest is the evaluation's. */
const OF_A_PART = ["rows", "questions"];

/** @throws Error naming the part that is not there, or was made otherwise than the first */
function sharedManifest(parts: readonly EvaluatedPart[]): Record<string, unknown> {
  const manifests = parts.map(({ file }) => {
    if (!existsSync(manifestFile(file)))
      throw new Error(`${file} is not there: the task that makes it has not run here`);
    const whole = readJsonObject(manifestFile(file));
    return Object.fromEntries(Object.entries(whole).filter(([name]) => !OF_A_PART.includes(name)));
  });
  const other = manifests.findIndex((one) => hashOf(one) !== hashOf(manifests[0]));
  if (other > 0)
    throw new Error(
      `${parts[other].file} was made otherwise than ${parts[0].file} (their .manifest.json differ): have the nodes one model, one commit and one kind of CPU?`,
    );
  return manifests[0];
}

/** An answer from a row of a predictions file. */
function answerOf(row: LoggedRow): Exclude<Answer, { reason: string }> {
  const { output, output_tokens, finished, thoughts_put_back, left_out } = row as LoggedRow &
    Partial<Exclude<Answer, { reason: string }>>;
  return {
    output,
    ...(output_tokens === undefined ? {} : { output_tokens }),
    finished: finished !== false,
    ...(thoughts_put_back ? { thoughts_put_back } : {}),
    ...(left_out === undefined ? {} : { left_out }),
  };
}

/** The questions with the number of their row in place of the image's file, by which `partsAnswerer` knows them. */
export function numbered(questions: readonly Question[]): Question[] {
  return questions.map((question, row) => ({
    ...question,
    image: question.image === null ? null : String(row),
    ...(question.shown ? { shown: { ...question.shown, image: question.shown.image && String(row) } } : {}),
  }));
}

/**
 * @param questions all of them, as the parts were cut from
 * @param parts in order, with all rows that are asked about
 * @throws Error naming the part that is not whole, or answers something else
 */
export function partsAnswerer(
  questions: readonly Question[],
  parts: readonly EvaluatedPart[],
  batchSize: number,
): Answerer {
  const { answerer } = sharedManifest(parts);
  const answers = new Map<number, Answer>();
  for (const { file, from, to } of parts) {
    const rows = new Map(readJsonl<LoggedRow>(file).map((row) => [row.row, row]));
    const skipped = existsSync(skippedFile(file)) ? (readJson(skippedFile(file)) as SkippedRow[]) : [];
    for (let row = from; row < to; row++) {
      const { image_path, question, where } = questions[row];
      const answered = rows.get(row - from);
      const reason = skipped.find((one) => one.where === where)?.reason;
      if (answered && (answered.image_path !== image_path || answered.question !== question))
        throw new Error(`${file}: row ${row - from} answers another question than ${where}; remove the file`);
      if (answered) answers.set(row, answerOf(answered));
      else if (reason !== undefined) answers.set(row, { reason });
      else throw new Error(`${file}: row ${row - from} (${where}) has no answer, and no reason for that`);
    }
  }
  return {
    identity: answerer as Record<string, unknown>,
    batchSize,
    answer: async (asked, onAnswers) =>
      void (await onAnswers(asked.map(({ file }, place) => [place, answers.get(Number(file))!]))),
    close: () => undefined,
  };
}
