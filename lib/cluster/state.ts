/** How the tasks of a job stand, from the driver's messages; and that as lines for people. */
import type { DriverMessage } from "./messages";

export interface TaskState {
  id: string;
  stands: "waits" | "runs" | "done" | "failed";
  host: string;
  attempt: number;
  /** The last line of its command. */
  text: string;
}

/** By id, in the order of the plan. */
export type JobState = ReadonlyMap<string, TaskState>;

export const initialState = (ids: readonly string[]): JobState =>
  new Map(ids.map((id) => [id, { id, stands: "waits", host: "", attempt: 0, text: "" }]));

function change(state: JobState, id: string, to: Partial<TaskState>): JobState {
  const before = state.get(id);
  return before === undefined ? state : new Map(state).set(id, { ...before, ...to });
}

/** The state after a message. What is said of no task of the plan changes nothing. */
export function afterMessage(state: JobState, message: DriverMessage): JobState {
  switch (message.kind) {
    case "started":
      return change(state, message.task, { stands: "runs", host: message.host, attempt: message.attempt });
    case "progress":
      return change(state, message.task, { text: message.text });
    case "done":
      return change(state, message.task, { stands: "done" });
    case "retry":
      return change(state, message.task, { stands: "waits", text: "" });
    case "failed":
    case "skipped":
      return change(state, message.task, { stands: "failed" });
    case "cluster":
    case "waiting":
    case "refused":
    case "end":
      return state;
  }
}

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

/** What is said once when it happens; null for progress and ends without a fault. */
export function eventText(message: DriverMessage): string | null {
  switch (message.kind) {
    case "cluster":
      return `Ray: ${counted(message.nodes, "node")}, ${counted(message.cpus, "core")}${message.gpus > 0 ? `, ${counted(message.gpus, "GPU")}` : ""}`;
    case "started":
      return `${message.task}: on ${message.host}${message.attempt > 1 ? `, attempt ${message.attempt}` : ""}`;
    case "done":
      return `${message.task}: done`;
    case "retry":
      return `${message.task}: ${message.reason}; started again`;
    case "failed":
      return [`${message.task}: failed: ${message.reason}`, ...message.tail.map((line) => `  ${line}`)].join("\n");
    case "skipped":
      return `${message.task}: not run: ${message.reason}`;
    case "waiting":
    case "refused":
      return `Ray: ${message.reason}`;
    case "progress":
    case "end":
      return null;
  }
}

/** One line on the whole, then one of each running task. */
export function stateLines(state: JobState): string[] {
  const tasks = [...state.values()];
  const count = (stands: TaskState["stands"]): number => tasks.filter((task) => task.stands === stands).length;
  const failed = count("failed");
  const running = tasks.filter(({ stands }) => stands === "runs");
  return [
    `${count("done")} of ${tasks.length} tasks done, ${running.length} running${failed > 0 ? `, ${failed} failed` : ""}`,
    ...running.map(({ id, host, text }) => `  ${id} (${host})${text === "" ? "" : `  ${text}`}`),
  ];
}
