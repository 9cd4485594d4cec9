/** A child process that is killed by SIGKILL while it works, and what it was at. */
import { spawn } from "node:child_process";
import { root } from "../environment";

/** How a process ended. */
export interface Ending {
  /** Null where it was killed. */
  code: number | null;
  /** Its last line on stdout before the end. */
  last: string;
  stderr: string;
  /** From its line `open` to the end; 0 where it never came so far. */
  workMs: number;
}

/** What a child is told. */
export interface ChildOptions {
  env?: Readonly<Record<string, string>>;
  /** Kills it so many milliseconds after the line `open`; undefined: not at all. */
  killAfterMs?: number;
  /** Hears each line of its output. */
  onLine?: (line: string) => void;
}

/** Runs a TypeScript file in a process of its own. */
export function runChild(script: string, args: readonly string[], options: ChildOptions = {}): Promise<Ending> {
  const { env = {}, killAfterMs, onLine } = options;
  const child = spawn(process.execPath, ["--import", "tsx", script, ...args], {
    cwd: root,
    env: { ...process.env, ...env, TF_CPP_MIN_LOG_LEVEL: "3" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return new Promise((resolve, reject) => {
    let [last, stderr, half] = ["", "", ""];
    let opened = 0;
    let timer: NodeJS.Timeout | undefined;
    child.stdout.on("data", (data: Buffer) => {
      const lines = (half + data.toString()).split("\n");
      half = lines.pop()!;
      for (const line of lines) {
        last = line;
        onLine?.(line);
        if (line !== "open") continue;
        opened = Date.now();
        if (killAfterMs !== undefined) timer = setTimeout(() => child.kill("SIGKILL"), killAfterMs);
      }
    });
    child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code, last, stderr, workMs: opened === 0 ? 0 : Date.now() - opened });
    });
  });
}
