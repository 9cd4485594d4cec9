/** Runs notebooks headless, in order, each in a fresh Jupyter kernel; stops at the first cell that fails. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { jupyterEnvironment, root, venvPython } from "../environment";
import { readCodeCells, type CodeCell } from "./cells";
import { clock, ProgressLines } from "./progress-lines";

export interface RunOptions {
  scale: string;
  /** Name of the folder in data/runs/. */
  run: string;
  /** Forwards what cells print. */
  verbose?: boolean;
  /** Where the executed copies go; `data/runs/<run>/notebooks` unless given. */
  folder?: string;
  /** Further environment variables of the kernel. */
  environment?: Record<string, string>;
}

export interface NotebookResult {
  name: string;
  ok: boolean;
  seconds: number;
  /** Executed copy; NAME.failed.ipynb when a cell failed. */
  path: string | null;
}

interface NotebookEvent {
  event: "start" | "end" | "stream" | "progress" | "error" | "failed" | "saved";
  cell?: number;
  name?: string;
  text?: string;
  traceback?: string[];
  path?: string;
  ename?: string;
  evalue?: string;
}

/** notebooks/*.ipynb in order of name. */
export function allNotebooks(): string[] {
  const folder = path.join(root, "notebooks");
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder)
    .filter((name) => name.endsWith(".ipynb"))
    .sort()
    .map((name) => path.join(folder, name));
}

/** The failing cell's source with line numbers, and its traceback. */
export function describeFailure(name: string, cell: CodeCell | undefined, total: number, traceback: string[]): string {
  const where = cell ? `cell ${cell.number}/${total} (${cell.title})` : "after the last cell";
  const lines = cell ? cell.source.split("\n").map((line, i) => `${String(i + 1).padStart(4)} | ${line}`) : [];
  return [`${name}: ${where} failed`, ...lines, ...traceback].join("\n");
}

/** Runs one notebook; prints its progress and, when a cell fails, that cell. */
export async function runNotebook(
  file: string,
  options: RunOptions,
  lines = new ProgressLines(),
): Promise<NotebookResult> {
  const name = path.basename(file, ".ipynb");
  const cells = readCodeCells(file);
  const byIndex = new Map(cells.map((cell) => [cell.index, cell]));
  const folder = options.folder ?? path.join(root, "data/runs", options.run, "notebooks");
  const destination = path.join(folder, `${name}.ipynb`);
  if (path.resolve(destination) === path.resolve(file))
    throw new Error(`${file}: the executed copy would overwrite its source`);
  const begun = Date.now();
  const env = jupyterEnvironment({ FINE_R1_SCALE: options.scale, FINE_R1_RUN: options.run, ...options.environment });
  const child = spawn(venvPython, [path.join(root, "tools/run_notebook.py"), path.resolve(file), destination], {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stop = (): void => {
    child.kill("SIGTERM");
    process.exit(143);
  };
  process.once("SIGTERM", stop);

  let messages = "";
  child.stderr.on("data", (data: Buffer) => (messages = (messages + data.toString()).slice(-20_000)));
  let failed: NotebookEvent | null = null;
  let running = -1;
  let traceback: string[] = [];
  let saved: string | null = null;

  const handle = (event: NotebookEvent): void => {
    const cell = byIndex.get(event.cell ?? -1);
    if (event.event === "start") {
      running = event.cell ?? -1;
      if (cell) lines.start(`${name}  cell ${cell.number}/${cells.length}`, cell.title);
    } else if (event.event === "end") lines.end();
    else if (event.event === "stream" && options.verbose) lines.print((event.text ?? "").replace(/\n$/, ""));
    else if (event.event === "progress") lines.note(event.text ?? "");
    else if (event.event === "error") traceback = event.traceback ?? [];
    else if (event.event === "failed") failed = event;
    if (event.path !== undefined) saved = event.path;
  };
  child.once("error", (error) => (messages += error.message));
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("{")) handle(JSON.parse(line) as NotebookEvent);
  }
  const code = await closed;
  process.off("SIGTERM", stop);
  lines.end();
  const ok = code === 0;
  if (!ok) {
    const failure = failed as NotebookEvent | null;
    if (failure === null)
      lines.print(`${name}: the notebook could not be run (exit code ${code ?? "none"})\n${messages.trim()}`);
    else {
      const shown = traceback.length > 0 ? traceback : [`${failure.ename ?? "Error"}: ${failure.evalue ?? ""}`];
      lines.print(describeFailure(name, byIndex.get(running), cells.length, shown));
    }
  }
  const milliseconds = Date.now() - begun;
  const outcome = `${ok ? "done" : "FAILED"}  ${clock(milliseconds)}`;
  lines.print(`${name}  ${outcome}${saved === null ? "" : `  ${path.relative(process.cwd(), saved)}`}`);
  return { name, ok, seconds: milliseconds / 1000, path: saved };
}

/** Runs notebooks in order and stops after the first that fails; the rest are not in the result. */
export async function runNotebooks(files: string[], options: RunOptions): Promise<NotebookResult[]> {
  const results: NotebookResult[] = [];
  for (const file of files) {
    const result = await runNotebook(file, options);
    results.push(result);
    if (!result.ok) break;
  }
  return results;
}
