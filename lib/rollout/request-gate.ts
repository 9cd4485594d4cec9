/** Lets so many tasks run at once, and start so many a minute. */
import { setTimeout as wait } from "node:timers/promises";

/** Waits. @throws the signal's reason as soon as it aborts */
export async function waitMs(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await wait(ms, undefined, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** Limits, and the clock they are kept by. */
export interface GateOptions {
  concurrency: number;
  /** 0 for no limit: starts are otherwise spaced evenly. */
  requestsPerMinute: number;
  /** May end early, or throw, where the signal is given and aborts. */
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** ms; replaced in tests. */
  now?: () => number;
}

/** A gate. */
export interface Gate {
  /**
   * Runs a task once it may start; tasks start in the order they came.
   * @throws the signal's reason where it aborts before the task has started
   */
  run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** No task starts for so many ms from now, those that wait already included; they keep order and spacing. */
  pause(ms: number): void;
}

/** @throws Error where a limit is no sensible number */
export function createGate({ concurrency, requestsPerMinute, sleep, now = Date.now }: GateOptions): Gate {
  if (!(Number.isInteger(concurrency) && concurrency >= 1))
    throw new Error(`concurrency is ${concurrency}; expected a positive integer`);
  if (!(requestsPerMinute >= 0 && Number.isFinite(requestsPerMinute)))
    throw new Error(`requests per minute is ${requestsPerMinute}; expected a number of at least 0 (0 for no limit)`);
  const spacing = requestsPerMinute > 0 ? 60_000 / requestsPerMinute : 0;
  let running = 0;
  let next = -Infinity; // when the next task may start
  const starts: { at: number }[] = []; // of tasks that wait for their time, in the order they came
  const waiting: (() => void)[] = [];
  /** Waits for one of the places; false where the signal aborts first. */
  const enter = async (signal?: AbortSignal): Promise<boolean> => {
    if (signal?.aborted) return false;
    if (running < concurrency) {
      running++;
      return true;
    }
    return new Promise<boolean>((resolve) => {
      const go = (): void => {
        signal?.removeEventListener("abort", stop);
        resolve(true); // the place is handed over
      };
      const stop = (): void => {
        waiting.splice(waiting.indexOf(go), 1);
        resolve(false);
      };
      signal?.addEventListener("abort", stop, { once: true });
      waiting.push(go);
    });
  };
  const leave = (): void => {
    const first = waiting.shift();
    if (first) first();
    else running--;
  };
  return {
    run: async (task, signal) => {
      if (!(await enter(signal))) throw signal!.reason;
      try {
        const start = { at: Math.max(now(), next) };
        next = start.at + spacing;
        starts.push(start);
        try {
          // a pause meanwhile puts the start off: the rest is slept then
          for (let slept = now(); slept < start.at; signal?.throwIfAborted()) {
            const until = start.at;
            if (until > now()) await sleep(until - now(), signal);
            slept = until;
          }
        } finally {
          starts.splice(starts.indexOf(start), 1);
        }
        signal?.throwIfAborted();
        return await task();
      } finally {
        leave();
      }
    },
    pause: (ms) => {
      const until = now() + ms;
      const by = Math.max(0, until - (starts[0]?.at ?? until));
      for (const start of starts) start.at += by;
      next = Math.max(next + by, until);
    },
  };
}
