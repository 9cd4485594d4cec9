/** Cells through the project's kernel, each test's in a kernel of their own (drive.py). Assumes that set-up is done. */
import { spawn } from "node:child_process";
import * as path from "node:path";
import { jupyterEnvironment, root, venvPython } from "../../tools/environment";

export interface CellRequest {
  code: string;
  stop_on_error?: boolean;
  /** JupyterLab's name of the notebook's cell. */
  id?: string;
}

/** A message on a comm; `{ model }` is the last widget that was opened of this model. */
export interface CommRequest {
  type: "comm_open" | "comm_msg" | "comm_close";
  content: Record<string, unknown>;
  /** Base64. */
  buffers?: string[];
}

/** What was published while a comm message was dealt with. */
export interface CommAnswer {
  type: string;
  /** Whether its parent is that message. */
  own: boolean;
  content: Record<string, unknown>;
  metadata: Record<string, unknown>;
  /** Base64. */
  buffers: string[];
}

export type Step =
  | { cells: CellRequest[] }
  | { interrupt: string; when: string }
  | { kill: string; when: string }
  | { inspect: string }
  | { complete: string }
  | { comm: CommRequest }
  | { shell: { type: string; content: Record<string, unknown> } }
  | { raw: string[] };

/** What a cell came to. */
export interface CellResult {
  status: "ok" | "error" | "aborted";
  /** What it printed. */
  text: string;
  data: ({ kind: string } & Record<string, unknown>)[];
  ename: string;
  evalue: string;
  traceback: string[];
  number: number | null;
  /** After an interrupt: how long the cell took to end. */
  seconds?: number;
}

/** Runs steps in a fresh kernel; one answer for each. */
export async function drive(steps: Step[]): Promise<unknown[]> {
  const child = spawn(venvPython, [path.join(root, "test/notebooks/drive.py")], {
    cwd: root,
    env: jupyterEnvironment(),
    stdio: ["pipe", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.end(JSON.stringify(steps));
  const code = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  if (code !== 0) throw new Error(`drive.py ended with ${String(code)}:\n${err}`);
  return (JSON.parse(out) as unknown[]).slice(1);
}

/** Cells one after another, each sent when the one before has been answered. */
export async function runInTurn(...sources: string[]): Promise<CellResult[]> {
  const answers = (await drive(sources.map((code) => ({ cells: [{ code }] })))) as CellResult[][];
  return answers.map(([answer]) => answer);
}

/** What a cell ended in, as text; what it failed with where it failed. */
export function valueOf(cell: CellResult): string {
  if (cell.status !== "ok") return `${cell.status}: ${cell.ename}: ${cell.evalue}`;
  return String(cell.data.find(({ kind }) => kind === "execute_result")?.["text/plain"] ?? "");
}
