/** Where the time of a piece of work goes: compiled functions one by one, tracing, and the rest on the host. */
import { performance } from "node:perf_hooks";
import { engineStats } from "./compile";

/** Time in one compiled function, all its traces together. */
export interface FunctionProfile {
  name: string;
  calls: number;
  seconds: number;
  /** Shapes traced during the work, and how long that took (each trace runs the function once). */
  traces: number;
  traceSeconds: number;
}

/** A profiled piece of work. */
export interface Profile<T> {
  result: T;
  seconds: number;
  functions: FunctionProfile[];
  /** Seconds in calls of compiled functions, in tracing, and in neither: JavaScript, host copies, eager kernels. */
  kernelSeconds: number;
  traceSeconds: number;
  hostSeconds: number;
  /** Largest resident set of the process so far, bytes. */
  peakMemoryBytes: number;
}

interface Totals {
  calls: number;
  seconds: number;
  traces: number;
  traceSeconds: number;
}

function totals(): Map<string, Totals> {
  const byName = new Map<string, Totals>();
  for (const { name, calls, callSeconds, traceSeconds } of engineStats()) {
    const t = byName.get(name) ?? { calls: 0, seconds: 0, traces: 0, traceSeconds: 0 };
    byName.set(name, {
      calls: t.calls + calls,
      seconds: t.seconds + callSeconds,
      traces: t.traces + 1,
      traceSeconds: t.traceSeconds + traceSeconds,
    });
  }
  return byName;
}

/**
 * Runs `work` and says where its time went. Kernels are awaited inside a call on CPU; on a GPU they may run on behind
 * it.
 */
export async function profile<T>(work: () => T | Promise<T>): Promise<Profile<T>> {
  const before = totals();
  const start = performance.now();
  const result = await work();
  const seconds = (performance.now() - start) / 1000;
  const none: Totals = { calls: 0, seconds: 0, traces: 0, traceSeconds: 0 };
  const functions = [...totals()]
    .map(([name, now]): FunctionProfile => {
      const old = before.get(name) ?? none;
      return {
        name,
        calls: now.calls - old.calls,
        seconds: now.seconds - old.seconds,
        traces: now.traces - old.traces,
        traceSeconds: now.traceSeconds - old.traceSeconds,
      };
    })
    .filter((f) => f.calls > 0 || f.traces > 0)
    .sort((a, b) => b.seconds - a.seconds);
  const sum = (value: (f: FunctionProfile) => number): number => functions.reduce((n, f) => n + value(f), 0);
  const [kernelSeconds, traceSeconds] = [sum((f) => f.seconds), sum((f) => f.traceSeconds)];
  return {
    result,
    seconds,
    functions,
    kernelSeconds,
    traceSeconds,
    hostSeconds: seconds - kernelSeconds - traceSeconds,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
  };
}
