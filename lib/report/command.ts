/** A command of the command line from a notebook: what a reader would type, with what it prints while it prints it. */
import { spawn, type ChildProcess } from "node:child_process";
import { interruptSignal, throwIfAborted } from "../util/abort";
import { repositoryRoot } from "../util/root";
import { currentKernel } from "./kernel";
import { REWRITE_VARIABLE } from "./progress";

/** Lines that TensorFlow writes to every process that loads it. */
const NOISE = /^(WARNING: All log messages before absl|[IW]\d{4} .*(oneDNN|cpu_feature_guard|computation_placer))/;

/** How long a command has to end after an interrupt, in ms, before it is killed. */
const PATIENCE_MS = 3000;

/**
 * What is shown of a command's output: paths below the repository are relative to it, TensorFlow's start-up lines are
 * left out.
 */
export function shownOutput(text: string, root = repositoryRoot()): string {
  return text
    .split("\n")
    .filter((line) => !NOISE.test(line))
    .join("\n")
    .split(`${root}/`)
    .join("")
    .trimEnd();
}

/** Where a command's output goes, line by line. */
export interface OutputLines {
  line(text: string): void;
  /** A line that takes the place of the one before, as after a carriage return; `isLast` where it stays. */
  rewritten(text: string, isLast: boolean): void;
}

/**
 * Cuts what a stream brings, in pieces of any length, into lines. A line that begins after a carriage return takes the
 * place of the one before and is shown as far as it has come; any other is held until it is complete.
 */
export function lineReader(output: OutputLines, root = repositoryRoot()): { take(chunk: string): void; end(): void } {
  let rest = "";
  let isRewriting = false;
  let shownSoFar = "";
  const show = (text: string, isComplete: boolean): void => {
    if (NOISE.test(text)) return;
    const shown = text.split(`${root}/`).join("").trimEnd();
    if (!isRewriting) return output.line(shown);
    if (isComplete || shown !== shownSoFar) output.rewritten(shown, isComplete);
    shownSoFar = isComplete ? "" : shown;
  };
  return {
    take(chunk) {
      const parts = (rest + chunk).replace(/\r+\n/g, "\n").split(/([\r\n])/);
      rest = parts.pop() ?? "";
      for (let i = 0; i < parts.length; i += 2) {
        const isComplete = parts[i + 1] === "\n";
        if (isComplete || parts[i] !== "") show(parts[i], isComplete);
        isRewriting = !isComplete;
      }
      if (isRewriting && rest !== "") show(rest, false);
    },
    end() {
      if (rest !== "") show(rest, true);
      rest = "";
      isRewriting = false;
    },
  };
}

let displays = 0;

/**
 * The cell, or standard output where there is no notebook: lines are printed, a rewritten one is updated in its place.
 */
function cellOutput(): OutputLines {
  const kernel = currentKernel();
  let id: string | null = null;
  return {
    line: (text) => console.log(text),
    rewritten(text, isLast) {
      if (!kernel) return console.log(text);
      const isFirst = id === null;
      id ??= `command-${process.pid}-${++displays}`;
      kernel.display({ "text/plain": text }, { id, update: !isFirst });
      if (isLast) id = null;
    },
  };
}

/** Passes an interrupt on: first as Ctrl-C would, then by force. Returns a function that stops watching. */
function endOnInterrupt(child: ChildProcess, signal: AbortSignal): () => void {
  let force: NodeJS.Timeout | undefined;
  const interrupt = (): void => {
    child.kill("SIGINT");
    force = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  };
  signal.addEventListener("abort", interrupt, { once: true });
  return () => {
    signal.removeEventListener("abort", interrupt);
    clearTimeout(force);
  };
}

/**
 * Runs `npm run -s fine-r1 -- ARGUMENTS` without the set-up: shows the line, and the command's output as it comes,
 * progress in place. An exit code other than 0 is said, not thrown.
 *
 * @throws {Error} when the cell is interrupted; the command is ended then
 */
export async function fineR1(...args: string[]): Promise<void> {
  const line = args.map((arg) => (/^[\w./:=,@+-]+$/.test(arg) ? arg : `'${arg}'`)).join(" ");
  console.log(shownOutput(`$ npm run -s fine-r1 -- ${line}`));
  const signal = interruptSignal();
  const output = cellOutput();
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(process.execPath, ["--import", "tsx", "cli/fine-r1.ts", ...args], {
      cwd: repositoryRoot(),
      env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: "3", [REWRITE_VARIABLE]: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const stopWatching = endOnInterrupt(child, signal);
    const readers = [child.stdout, child.stderr].map((stream) => {
      const reader = lineReader(output);
      stream.setEncoding("utf8").on("data", (chunk: string) => reader.take(chunk));
      return reader;
    });
    child.on("error", reject);
    child.on("close", (status) => {
      stopWatching();
      for (const reader of readers) reader.end();
      resolve(status);
    });
  });
  throwIfAborted(signal);
  if (code !== 0) console.log(`(exit code ${code ?? "none: it was ended"})`);
}
