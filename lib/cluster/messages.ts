/** What the driver says: lines of JSON behind a mark, between whatever Ray and Python print. */

/** `driver.py` has the same. */
export const MARK = "@fine-r1 ";

export type DriverMessage =
  /** The job has begun; resources of the cluster. */
  | { kind: "cluster"; nodes: number; cpus: number; gpus: number }
  /** No node can take a task yet; what is waited for. */
  | { kind: "waiting"; reason: string }
  | { kind: "started"; task: string; attempt: number; host: string; pid: number }
  /** The last line that a task's command wrote. */
  | { kind: "progress"; task: string; text: string }
  | { kind: "done"; task: string }
  /** A worker or node died; the task is started again. */
  | { kind: "retry"; task: string; attempt: number; reason: string }
  | { kind: "failed"; task: string; reason: string; tail: string[] }
  /** A task that it waits for has failed. */
  | { kind: "skipped"; task: string; reason: string }
  /** The job cannot be run. */
  | { kind: "refused"; reason: string }
  | { kind: "end"; failed: number };

type FieldType = "string" | "number" | "strings";
const FIELDS: Record<DriverMessage["kind"], Record<string, FieldType>> = {
  cluster: { nodes: "number", cpus: "number", gpus: "number" },
  waiting: { reason: "string" },
  started: { task: "string", attempt: "number", host: "string", pid: "number" },
  progress: { task: "string", text: "string" },
  done: { task: "string" },
  retry: { task: "string", attempt: "number", reason: "string" },
  failed: { task: "string", reason: "string", tail: "strings" },
  skipped: { task: "string", reason: "string" },
  refused: { reason: "string" },
  end: { failed: "number" },
};

const isOfType = (value: unknown, type: FieldType): boolean =>
  type === "strings"
    ? Array.isArray(value) && value.every((one) => typeof one === "string")
    : typeof value === type && (type !== "number" || Number.isFinite(value));

/** The message of a line; null where it is none. */
export function parseMessage(line: string): DriverMessage | null {
  if (!line.startsWith(MARK)) return null;
  let json: unknown;
  try {
    json = JSON.parse(line.slice(MARK.length));
  } catch {
    return null; // cut off
  }
  if (typeof json !== "object" || json === null) return null;
  const { kind } = json as { kind?: unknown };
  if (typeof kind !== "string" || !Object.hasOwn(FIELDS, kind)) return null;
  const fields = Object.entries(FIELDS[kind as DriverMessage["kind"]]);
  const isWhole = fields.every(([name, type]) => isOfType((json as Record<string, unknown>)[name], type));
  return isWhole ? (json as DriverMessage) : null;
}

/** Whole lines of a log, and its messages; a last line that is not ended is left for the next look. */
export function parseLog(log: string): { messages: DriverMessage[]; others: string[] } {
  const messages: DriverMessage[] = [];
  const others: string[] = [];
  for (const line of log.slice(0, log.lastIndexOf("\n") + 1).split("\n")) {
    const message = parseMessage(line);
    if (message) messages.push(message);
    else if (line.trim() !== "") others.push(line);
  }
  return { messages, others };
}
