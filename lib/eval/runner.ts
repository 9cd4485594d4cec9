/** An evaluation from questions to a predictions file that `score` reads: rows that are finished are never asked again. */
import type { Question, QuestionSet } from "../benchmark/question-set";
import type { OnBadRow } from "../util/lines";
import type { PromptSet } from "../benchmark/prompts";
import { hashOf } from "../rollout/request-cache";
import type { Answer, Answerer } from "./answerers";
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

/**
 * Asks every question that has no row in the file yet.
 * @throws Error under `stop` at a row that can't be answered, where the file answers something else, or where another run
 *   has it open
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
  } = options;
  const ask = reason ? prompts.reason : prompts.direct;
  const texts = set.questions.map((question) => ask(question.question, question.options));
  const questions = set.questions.map(({ image: _image, where: _where, ...row }, i) => ({ ...row, text: texts[i] }));
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
    const left = set.questions.flatMap((question, place) => (rows.has(place) ? [] : [{ question, place }]));
    const askable = left.flatMap(({ question: { image, image_path }, place }) => {
      if (image !== null) return [{ place, text: texts[place], image }];
      skip(place, `the image ${image_path} is missing`);
      return [];
    });
    let done = left.length - askable.length;
    await onProgress?.(done, left.length);
    await answerer.answer(askable, async (answers) => {
      const fresh = answers.flatMap(([i, answer]) =>
        isFailure(answer) ? [] : [predictionRow(set.questions[askable[i].place], askable[i].place, answer, options)],
      );
      log.append(fresh);
      fresh.forEach((row) => rows.set(row.row, row));
      for (const [i, answer] of answers) if (isFailure(answer)) skip(askable[i].place, answer.reason);
      done += answers.length;
      await onProgress?.(done, left.length);
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
