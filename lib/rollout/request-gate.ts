/** Lets so many tasks run at once, and start so many a minute. */

/** Limits, and the clock they are kept by. */
export interface GateOptions {
  concurrency: number;
  /** 0 for no limit: starts are otherwise spaced evenly. */
  requestsPerMinute: number;
  sleep: (ms: number) => Promise<void>;
  /** ms; replaced in tests. */
  now?: () => number;
}

/** A gate. */
export interface Gate {
  /** Runs a task once it may start; tasks start in the order they came. */
  run<T>(task: () => Promise<T>): Promise<T>;
  /** No task starts for so many ms from now. */
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
  const waiting: (() => void)[] = [];
  const enter = async (): Promise<void> => {
    if (running < concurrency) running++;
    else await new Promise<void>((resolve) => waiting.push(resolve)); // the place is handed over
    const start = Math.max(now(), next);
    next = start + spacing;
    if (start > now()) await sleep(start - now());
  };
  const leave = (): void => {
    const first = waiting.shift();
    if (first) first();
    else running--;
  };
  return {
    run: async (task) => {
      await enter();
      try {
        return await task();
      } finally {
        leave();
      }
    },
    pause: (ms) => {
      next = Math.max(next, now() + ms);
    },
  };
}
