/** Runs a plan as a Ray job: submits it, says how it comes on, and waits for its end. */
import type { JobsApi, JobStatus } from "./jobs-api";
import { Unreachable } from "./jobs-api";
import { parseLog } from "./messages";
import { afterMessage, eventText, initialState, stateLines } from "./state";
import type { ClusterDisplay } from "./display";

/** Seconds between two looks at a job: they grow with its age, as its log does. */
const secondsBetween = (age: number): number => Math.min(15, Math.max(1, age / 100));
/** So many looks in a row may fail: the dashboard is slow, or a tunnel is made anew. */
const FAILURES = 20;
/** Lines of Ray's own that are shown where a job ends without a word of the driver's. */
const LAST_LINES = 15;

const hasEnded = (status: JobStatus): boolean => status === "SUCCEEDED" || status === "FAILED" || status === "STOPPED";

export interface JobRequest {
  entrypoint: string;
  /** Ids of the plan's tasks. */
  tasks: readonly string[];
  name: string;
  display: ClusterDisplay;
  /** Stops the job. */
  signal?: AbortSignal;
  /** Waits; a test's takes no time. */
  sleep?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

const pause = (milliseconds: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
  });

/**
 * @throws Error where a task failed, the job was stopped, or the cluster does not answer any more; the tasks' results
 * stay
 */
export async function runJob(api: JobsApi, request: JobRequest): Promise<void> {
  const { display, signal, sleep = pause } = request;
  signal?.throwIfAborted();
  const id = await api.submit({ entrypoint: request.entrypoint, metadata: { name: request.name } });
  display.event(`Ray: job ${id} at ${api.address}`);
  let state = initialState(request.tasks);
  let heard = 0;
  let failures = 0;
  const begun = Date.now();
  /** Shows what is new. @returns lines of Ray's own */
  const look = async (): Promise<string[]> => {
    const { messages, others } = parseLog(await api.logs(id));
    for (const message of messages.slice(heard)) {
      state = afterMessage(state, message);
      const text = eventText(message);
      if (text !== null) display.event(text);
    }
    heard = messages.length;
    display.block(stateLines(state));
    return others;
  };
  try {
    for (;;) {
      if (signal?.aborted) {
        await api.stop(id);
        signal.throwIfAborted();
      }
      try {
        const { status, message } = await api.status(id); // before the log, which is whole then
        const others = await look();
        failures = 0;
        if (hasEnded(status)) return finish({ id, status, message, others });
      } catch (error) {
        if (!(error instanceof Unreachable) || ++failures > FAILURES) throw error;
        display.event(`${error.message}; looking again (${failures} of ${FAILURES})`);
      }
      await sleep(1000 * secondsBetween((Date.now() - begun) / 1000), signal);
    }
  } finally {
    display.close();
  }

  function finish(end: { id: string; status: JobStatus; message: string; others: string[] }): void {
    const failed = [...state.values()].filter(({ stands }) => stands === "failed");
    if (end.status === "SUCCEEDED" && [...state.values()].every(({ stands }) => stands === "done")) return;
    if (failed.length > 0)
      throw new Error(
        `${failed.length} of ${state.size} tasks failed: ${failed.map((task) => task.id).join("; ")} (reasons above); what is finished stays, and the same command goes on from there`,
      );
    const last = end.others.slice(-LAST_LINES).map((line) => `\n  ${line}`);
    throw new Error(
      `Ray job ${end.id} ended as ${end.status} before its tasks did: ${end.message.trim().split("\n").slice(-1)[0]}${last.join("")}`,
    );
  }
}
