/** A worker process, as `worker.ts` and `worker.py` speak. */
import { spawn, type ChildProcess } from "node:child_process";
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import * as path from "node:path";
import * as readline from "node:readline";
import { root } from "../../tools/environment";
import { benchPython, scratch } from "./environment";
import type { Peer, Side } from "./types";

/** Threads that each side may use. */
export const THREADS = 2;

/** Seconds that set-up or a run may take. */
const PATIENCE = 1800;

/** What a worker says when it is set up; seconds. */
export interface Ready {
  setUpSeconds: number;
  firstSeconds: number;
  value: number;
  work: Record<string, number>;
  versions: Record<string, string>;
}

/** One run. */
export interface Run {
  seconds: number;
  value: number;
  /** Resident set of the process after the run; ours and Node's peers say it. */
  residentBytes?: number;
}

/** A side that failed: what it said last, and where its log is. */
export class SideError extends Error {
  constructor(
    readonly side: Side | Peer,
    message: string,
  ) {
    super(message.replaceAll(root, "."));
  }
}

/**
 * Living workers, each with a folder of its own for torch.compile: empty at first, so that compile times are those of a
 * first run.
 */
const running = new Map<ChildProcess, string>();
process.on("exit", () =>
  running.forEach((cache, child) => {
    child.kill("SIGKILL");
    rmSync(cache, { recursive: true, force: true });
  }),
);
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.on(signal, () => process.exit(code));

function threadLimits(): Record<string, string> {
  const names = [
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TORCHINDUCTOR_COMPILE_THREADS",
  ];
  return Object.fromEntries(names.map((name) => [name, String(THREADS)]));
}

/** A side of a case in its own process. */
export class BenchProcess {
  private constructor(
    private readonly child: ChildProcess,
    private readonly lines: AsyncIterator<string>,
    private readonly log: string,
    private readonly side: Side | Peer,
  ) {}

  /** Starts a side and waits until it has run once. @throws SideError */
  static async start(side: Side | Peer): Promise<{ process: BenchProcess; ready: Ready }> {
    const kind = "kind" in side ? side.kind : "ours";
    const log = path.join(
      scratch,
      "logs",
      `${[kind, side.case, side.variant]
        .join(" ")
        .trim()
        .replace(/[^\w.-]+/g, "_")}.log`,
    );
    mkdirSync(path.dirname(log), { recursive: true });
    const [command, ...args] =
      kind === "python"
        ? [benchPython, "test/bench/worker.py"]
        : [process.execPath, "--import", "tsx", "test/bench/worker.ts"];
    const cache = mkdtempSync(path.join(scratch, "torch-"));
    const child = spawn(command, [...args, kind === "node" ? `peers/${side.case}` : side.case, side.variant], {
      cwd: root,
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...threadLimits(), TORCHINDUCTOR_CACHE_DIR: cache },
    });
    running.set(child, cache);
    child.once("close", () => {
      running.delete(child);
      rmSync(cache, { recursive: true, force: true });
    });
    child.stderr.pipe(createWriteStream(log));
    child.stdin.on("error", () => undefined); // a child that died is reported through its missing answer
    const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const started = new BenchProcess(child, lines, log, side);
    return { process: started, ready: await started.answer<Ready>() };
  }

  /** Does the work once. */
  run(): Promise<Run> {
    this.child.stdin!.write("run\n");
    return this.answer<Run>();
  }

  /**
   * Stops the process where it is: threads that spin between runs (OpenMP's, Eigen's) would take time from the other
   * side.
   */
  pause(): void {
    this.child.kill("SIGSTOP");
  }

  resume(): void {
    this.child.kill("SIGCONT");
  }

  /** Ends the process and waits until it is gone. */
  async stop(): Promise<void> {
    if (!running.has(this.child)) return;
    this.resume();
    const gone = new Promise<void>((resolve) => this.child.once("close", () => resolve()));
    this.child.stdin!.end("exit\n");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 10_000);
    await gone;
    clearTimeout(timer);
  }

  private async answer<T>(): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => (timer = setTimeout(() => resolve("late"), 1000 * PATIENCE)));
    for (;;) {
      const next = await Promise.race([this.lines.next(), late]);
      if (next !== "late" && !next.done && !next.value.startsWith("{")) continue;
      clearTimeout(timer);
      const message = next === "late" || next.done ? null : (JSON.parse(next.value) as T & { error?: string });
      if (message && message.error === undefined) return message;
      this.child.kill("SIGKILL");
      const reason =
        next === "late"
          ? `no answer in ${PATIENCE} s`
          : (message?.error ?? (readFileSync(this.log, "utf8").trim().split("\n").pop() || "it ended without a word"));
      throw new SideError(
        this.side,
        `${`${this.side.case} ${this.side.variant}`.trim()}: ${reason} (${path.relative(root, this.log)})`,
      );
    }
  }
}
