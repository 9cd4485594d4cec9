/**
 * Bad input in earnest: `npm run torture -- fuzz [--count 10000] [--only KIND] [--seed 1]`.
 *
 * Each kind of input (test/fuzz/targets.ts) is read in a process of its own. An answer is a load, or an error that
 * names file or field; a process that dies, an input that takes over 10 s, and memory beyond twice that of good inputs
 * are failures. What hung or took memory is given to a fresh process once more before it counts: other work on the
 * machine is no fault of the input. Failing inputs are saved in test/fuzz/corpus, which `npm test` reads. Figures go
 * to docs/reliability.json; the exit code is 1 where anything failed.
 */
import { fork, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { inputAt } from "../../test/fuzz/inputs";
import { TARGETS } from "../../test/fuzz/targets";
import { repositoryRoot } from "../../lib/util/root";
import type { Word } from "./fuzz-worker";
import { report as publish, reported, withKinds } from "./report";

const LONGEST_MS = 10_000;
/** Until good inputs are made and TensorFlow is loaded. */
const START_MS = 300_000;
const MOST_MEMORY = 2;

interface Failure {
  input: number;
  what: "wrong answer" | "died" | "hung" | "memory";
  detail: string;
}

interface KindReport {
  seed: number;
  inputs: number;
  loaded: number;
  refused: number;
  slowest_ms: number;
  /** Most resident memory, as a multiple of what good inputs took. */
  memory_factor: number;
  failures: Failure[];
}

/** How one process ended: at which input, and why. */
interface Ended {
  next: number;
  failure: Failure | null;
}

/** Runs inputs `first` to `first + count - 1` in one process, until it is through or something ends it. */
function runWorker(kind: string, seed: number, first: number, count: number, report: KindReport): Promise<Ended> {
  const child: ChildProcess = fork(path.join(__dirname, "fuzz-worker.ts"), [kind, seed, first, count].map(String), {
    execArgv: ["--import", "tsx"],
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: "3", TF_NUM_INTRAOP_THREADS: "1", TF_NUM_INTEROP_THREADS: "1" },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  return new Promise((resolve) => {
    let [at, begun, base, next, errors] = [first, Date.now(), 0, first, ""];
    let isWarm = false;
    let failure: Failure | null = null;
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-2000)));
    const end = (what: Failure["what"], detail: string): void => {
      failure ??= { input: at, what, detail };
      child.kill("SIGKILL");
    };
    const watch = setInterval(() => {
      const limit = isWarm ? LONGEST_MS : START_MS;
      if (Date.now() - begun > limit) end("hung", `no answer after ${limit / 1000} s`);
    }, 500);
    child.on("message", (word: Word) => {
      if ("begin" in word) {
        [at, begun] = [word.begin, Date.now()];
        return;
      }
      if (!isWarm) {
        [isWarm, base, begun] = [true, word.peakBytes, Date.now()];
        return;
      }
      next = word.end + 1;
      report.slowest_ms = Math.max(report.slowest_ms, Date.now() - begun);
      begun = Date.now();
      const factor = word.peakBytes / base;
      if (factor > MOST_MEMORY) return end("memory", `${factor.toFixed(1)} times the memory of good inputs`);
      report.memory_factor = Math.max(report.memory_factor, Math.round(100 * factor) / 100);
      report.inputs++;
      report[word.verdict.loaded ? "loaded" : "refused"]++;
      const { problem } = word.verdict;
      if (problem !== null) report.failures.push({ input: word.end, what: "wrong answer", detail: problem });
    });
    child.on("close", (code, signal) => {
      clearInterval(watch);
      if (failure === null && (code !== 0 || next < first + count))
        failure = { input: at, what: "died", detail: `${signal ?? `exit code ${code}`}: ${errors}` };
      resolve({ next: Math.max(next, at + (failure === null ? 0 : 1)), failure });
    });
  });
}

const freshReport = (seed: number): KindReport => ({
  seed,
  inputs: 0,
  loaded: 0,
  refused: 0,
  slowest_ms: 0,
  memory_factor: 1,
  failures: [],
});

/** All inputs of a kind; after one that ended its process the next process goes on. */
async function runKind(kind: string, seed: number, count: number): Promise<KindReport> {
  const report = freshReport(seed);
  for (let next = 0; next < count;) {
    const ended = await runWorker(kind, seed, next, count - next, report);
    next = ended.next;
    if (ended.failure === null) continue;
    const { failure } = ended;
    const again = failure.what === "died" ? ended : await runWorker(kind, seed, failure.input, 1, freshReport(seed));
    report.inputs++;
    if (again.failure === null) report.refused++;
    else report.failures.push({ ...failure, ...again.failure });
  }
  return report;
}

/** Saves the inputs that failed, where `npm test` finds them. */
async function saveInputs(kind: string, seed: number, failures: readonly Failure[]): Promise<void> {
  if (failures.length === 0) return;
  const shared = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-fuzz-"));
  const target = await TARGETS[kind](shared);
  const folder = path.join(repositoryRoot(), "test/fuzz/corpus", kind);
  fs.mkdirSync(folder, { recursive: true });
  for (const { input } of failures.slice(0, 20))
    fs.writeFileSync(path.join(folder, `seed-${seed}-${input}`), inputAt(target, kind, seed, input));
  fs.rmSync(shared, { recursive: true, force: true });
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: "10000" },
      only: { type: "string", multiple: true },
      seed: { type: "string", default: "1" },
    },
  });
  const [count, seed] = [Number(values.count), Number(values.seed)];
  if (!Number.isInteger(count) || count < 1 || !Number.isInteger(seed))
    throw new Error(`--count ${values.count}, --seed ${values.seed}: whole numbers are expected, the count from 1`);
  const unknown = (values.only ?? []).find((kind) => !Object.hasOwn(TARGETS, kind));
  if (unknown !== undefined)
    throw new Error(`--only ${unknown}: no such kind; ${Object.keys(TARGETS).join(", ")} can be named`);
  const kinds: Record<string, KindReport> = {};
  for (const kind of values.only ?? Object.keys(TARGETS)) {
    const report = await runKind(kind, seed, count);
    await saveInputs(kind, seed, report.failures);
    kinds[kind] = report;
    const { inputs, loaded, refused, failures } = report;
    process.stdout.write(
      `${kind}: ${inputs} inputs, ${loaded} read, ${refused} refused, ${failures.length} failures\n`,
    );
    for (const { input, what, detail } of failures.slice(0, 5))
      process.stdout.write(`  ${input}: ${what}: ${detail}\n`);
    publish("fuzz", withKinds(reported("fuzz"), kinds));
  }
  return Object.values(kinds).some(({ failures }) => failures.length > 0) ? 1 : 0;
}

void main().then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  },
);
