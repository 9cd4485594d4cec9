/** Progress that updates in place: a display in a notebook, a line on stderr elsewhere. */
import { visibleText } from "../util/visible-text";
import { currentKernel } from "./kernel";
import { liveHtml, type LivePoint, type StepMetrics } from "./live-curves";

/** At most two updates a second: more is not read, and each is a message. */
const INTERVAL_MS = 500;
/** Where a line cannot be rewritten (a log file), one line in this time. */
const PLAIN_INTERVAL_MS = 10_000;
const BAR_WIDTH = 24;
/** Shorter labels and counts are filled up to these, so that the bars of several displays stand below one another. */
const LABEL_WIDTH = 24;
const COUNT_WIDTH = 9;
/** Set for a command whose output is read by somebody who handles carriage returns, as a notebook does. */
export const REWRITE_VARIABLE = "FINE_R1_REWRITE";

/** `42 s`, `3:07` or `1:02:09`. */
export function formatDuration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  const two = (n: number): string => String(n).padStart(2, "0");
  const minutes = Math.floor(s / 60);
  return minutes < 60 ? `${minutes}:${two(s % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(s % 60)}`;
}

/** One line: label, bar, count, time gone and time left (from the mean pace so far), note. */
export function progressText(label: string, done: number, total: number, elapsedSeconds: number, note = ""): string {
  const fraction = total > 0 ? Math.min(1, Math.max(0, done / total)) : 1;
  const full = Math.round(fraction * BAR_WIDTH);
  const bar = "█".repeat(full) + "░".repeat(BAR_WIDTH - full);
  const left = done > 0 && done < total ? `, ${formatDuration((elapsedSeconds / done) * (total - done))} left` : "";
  const count = `${done}/${total}`.padEnd(COUNT_WIDTH);
  const time = `${formatDuration(elapsedSeconds)}${left}`;
  return `${label.padEnd(LABEL_WIDTH)}  ${bar} ${count}  ${time}${note === "" ? "" : `  ${note}`}`;
}

export interface Progress {
  /** Shows that `done` of `total` are done; `note` is a short text such as "loss 0.31". */
  update(done: number, note?: string, total?: number): void;
  /**
   * Notes what a step logged: in a notebook a curve of each metric grows below the line. `tokens`, the step's, becomes
   * tokens a second since the step before.
   */
  metrics(step: number, values: StepMetrics): void;
  /** Shows the end; the last note stays unless another is given. */
  finish(note?: string): void;
  /** Shows how far it came, as the last line. */
  stop(): void;
}

let displays = 0;

/** Shows one line again and again in the same place, as far as what it goes to can. */
function lineWriter(): { interval: number; write(text: string, last: boolean, points: readonly LivePoint[]): void } {
  const kernel = currentKernel();
  if (kernel) {
    const id = `progress-${process.pid}-${++displays}`;
    let isFirst = true;
    const write = (text: string, _last: boolean, points: readonly LivePoint[]): void => {
      const html = points.length > 0 ? { "text/html": liveHtml(text, points) } : {};
      kernel.display({ ...html, "text/plain": text }, { id, update: !isFirst });
      isFirst = false;
    };
    return { interval: INTERVAL_MS, write };
  }
  const canErase = process.stderr.isTTY;
  if (canErase || process.env[REWRITE_VARIABLE] === "1") {
    const begin = canErase ? "\r\x1b[2K" : "\r";
    const write = (text: string, last: boolean): void =>
      void process.stderr.write(`${begin}${text}${last ? "\n" : ""}`);
    return { interval: INTERVAL_MS, write };
  }
  const write = (text: string): void => {
    if (process.env.VITEST === undefined) process.stderr.write(`${text}\n`);
  };
  return { interval: PLAIN_INTERVAL_MS, write };
}

/**
 * Begins a progress display.
 *
 * @param label what is going on
 * @param total number of steps, 0 or more
 */
export function progress(label: string, total: number): Progress {
  const { interval, write } = lineWriter();
  const begun = Date.now();
  let drawn = 0;
  let done = 0;
  let note = "";
  let before: number | null = null; // when the step before ended
  const points: LivePoint[] = [];

  const draw = (last: boolean): void => {
    drawn = Date.now();
    const text = progressText(label, done, total, (drawn - begun) / 1000, note);
    write(visibleText(text), last, points);
  };

  draw(false);
  return {
    update(newDone: number, newNote?: string, newTotal?: number): void {
      done = newDone;
      note = newNote ?? note;
      total = newTotal ?? total;
      if (Date.now() - drawn >= interval) draw(false);
    },
    metrics(step, values): void {
      const [now, tokens] = [Date.now(), values.tokens ?? null];
      const milliseconds = before === null ? 0 : now - before;
      // 0: the first step, whose begin is not known, or one that an earlier process made
      const tokensPerSecond = tokens === null || milliseconds === 0 ? null : (1000 * tokens) / milliseconds;
      points.push({ step, metrics: { ...values, tokensPerSecond } });
      before = now;
    },
    finish(newNote?: string): void {
      done = total;
      note = newNote ?? note;
      draw(true);
    },
    stop: () => draw(true),
  };
}

/** Displays one after another: `start` ends the last and begins the next. */
export function progressSeries(): { start(label: string): void } & Progress {
  let bar: Progress | null = null;
  return {
    start(label: string): void {
      bar?.finish();
      bar = progress(label, 1);
    },
    update: (done, note, total) => bar?.update(done, note, total),
    metrics: (step, values) => bar?.metrics(step, values),
    finish: (note) => bar?.finish(note),
    stop: () => bar?.stop(),
  };
}
