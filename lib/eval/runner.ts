/**
 * An evaluation from questions to a predictions file that `score` reads: rows that are finished are never asked again.
 */
import type { Question, QuestionSet } from "../benchmark/types";
import type { OnBadRow } from "../util/lines";
import type { PromptSet } from "../benchmark/prompts";
import { hashOf } from "../rollout/request-cache";
import { throwIfAborted } from "../util/abort";
import type { Answer, Answerer, AskedQuestion } from "./answerers";
import { openPredictionLog, type LoggedRow } from "./prediction-log";

/** A row without a prediction. */
export interface SkippedRow {
  /** File and line, or set and image. */
  where: string;
  reason: string;
}

/** How questions are asked, and where the answers go. */
export interface RunOptions {
  /** The predictions file. */
  out: string;
  /** Name of the method in the rows. */
  method: string;
  seed: number;
  prompts: PromptSet;
  /** Ask for reasoning first, or for the answer only. */
  reason: boolean;
  maxNewTokens: number;
  /** `stop` (default): the first row that can't be asked or answered ends the run, finished rows stay. */
  onBadRow?: OnBadRow;
  restart?: boolean;
  /** Further fields of the manifest. */
  manifest?: Record<string, unknown>;
  /** Stops the run after the batch under way; rows that are finished stay. */
  signal?: AbortSignal;
  /** Rows of this run that are done, out of those that were to do. */
  onProgress?: (done: number, toDo: number) => void | Promise<void>;
}

/** What a run leaves. */
export interface RunResult {
  /** All predictions, those of earlier runs too, in the order of the questions. */
  rows: LoggedRow[];
  /** Rows that an earlier run had finished. */
  resumed: number;
  /** Whether a half-written last line was dropped. */
  dropped: boolean;
  skipped: SkippedRow[];
}

const isFailure = (answer: Answer): answer is { reason: string } => "reason" in answer;

function predictionRow(
  question: Question,
  row: number,
  answer: Exclude<Answer, { reason: string }>,
  { method, seed }: RunOptions,
): LoggedRow {
  const { domain, split, setting, image_path, options, ground_truth, designer } = question;
  const { output, output_tokens, finished, thoughts_put_back, left_out } = answer;
  return {
    row,
    method,
    seed,
    domain,
    split,
    setting,
    image_path,
    question: question.question,
    ...(options ? { options: [...options] } : {}),
    ground_truth,
    output,
    ...(output_tokens === undefined ? {} : { output_tokens }),
    ...(finished ? {} : { finished }),
    ...(thoughts_put_back ? { thoughts_put_back } : {}),
    ...(left_out === undefined ? {} : { left_out }),
    ...(designer === undefined ? {} : { designer }),
  };
}

/** What is to be asked: questions without a row, and those of the same batches. */
function toAsk(
  questions: readonly Question[],
  texts: readonly string[],
  { finished, batchSize }: { finished: ReadonlyMap<number, unknown>; batchSize: number },
): { askable: (AskedQuestion & { row: number })[]; failed: { row: number; reason: string }[] } {
  const batchOf = (row: number): number => Math.floor(row / batchSize);
  const open = new Set(questions.flatMap((_, row) => (finished.has(row) ? [] : [batchOf(row)])));
  const askable: (AskedQuestion & { row: number })[] = [];
  const failed: { row: number; reason: string }[] = [];
  questions.forEach(({ image, image_path, shown, missing }, row) => {
    if (!open.has(batchOf(row))) return;
    const { image_path: name, image: file } = shown ?? { image_path, image };
    if (file !== null)
      askable.push({ row, text: texts[row], image: name, file, blind: shown === null, batch: batchOf(row) });
    else if (!finished.has(row)) failed.push({ row, reason: missing ?? `the image ${name} is missing` });
  });
  return { askable, failed };
}

/**
 * Asks every question that has no row in the file yet.
 * @throws Error under `stop` at a row that can't be answered, where the file answers something else, or where another
 * run has it open
 */
export async function runEvaluation(set: QuestionSet, answerer: Answerer, options: RunOptions): Promise<RunResult> {
  const {
    out,
    method,
    seed,
    prompts,
    reason,
    maxNewTokens,
    onBadRow = "stop",
    restart = false,
    manifest = {},
    onProgress,
    signal,
  } = options;
  const ask = reason ? prompts.reason : prompts.direct;
  const texts = set.questions.map((question) => ask(question.question, question.options));
  const questions = set.questions.map(({ image: _image, where: _where, shown, ...row }, i) => ({
    ...row,
    ...(shown === undefined ? {} : { shown: shown && shown.image_path }),
    text: texts[i],
  }));
  const log = openPredictionLog(
    out,
    {
      format: 1,
      method,
      seed,
      set: set.name,
      setting: set.questions[0]?.setting ?? null,
      ...manifest,
      max_new_tokens: maxNewTokens,
      answerer: answerer.identity,
      rows: questions.length,
      questions: hashOf(questions),
    },
    questions.length,
    restart,
  );
  try {
    const skipped: SkippedRow[] = set.skipped.map(({ file, line, reason: why }) => ({
      where: `${file}, line ${line}`,
      reason: why,
    }));
    const rows = new Map(log.finished.map((row) => [row.row, row]));
    const skip = (place: number, why: string): void => {
      const { where } = set.questions[place];
      if (onBadRow === "stop")
        throw new Error(`${where}: ${why}; mend it, or skip bad rows (--on-bad-row skip). Finished rows are in ${out}`);
      skipped.push({ where, reason: why });
    };
    const left = set.questions.filter((_, row) => !rows.has(row)).length;
    const { askable, failed } = toAsk(set.questions, texts, { finished: rows, batchSize: answerer.batchSize ?? 1 });
    failed.forEach(({ row, reason: why }) => skip(row, why));
    let done = failed.length;
    await onProgress?.(done, left);
    await answerer.answer(askable, async (answers) => {
      const wanted = answers.filter(([i]) => !rows.has(askable[i].row));
      const fresh = wanted.flatMap(([i, answer]) =>
        isFailure(answer) ? [] : [predictionRow(set.questions[askable[i].row], askable[i].row, answer, options)],
      );
      log.append(fresh);
      fresh.forEach((row) => rows.set(row.row, row));
      for (const [i, answer] of wanted) if (isFailure(answer)) skip(askable[i].row, answer.reason);
      done += wanted.length;
      await onProgress?.(done, left);
      throwIfAborted(signal);
    });
    return {
      rows: [...rows.values()].sort((a, b) => a.row - b.row),
      resumed: log.finished.length,
      dropped: log.dropped,
      skipped,
    };
  } finally {
    log.close();
  }
}
