/**
 * `npm run torture -- soak [--steps N] [--photographs N]`: TAPO steps (default 1000) and evaluated photographs (default
 * 1000) of a miniature in one process. After each step and batch of answers tensors, resident memory, open files and
 * compiled traces are counted; their slopes over the later half say whether anything grows.
 */
import { readdirSync, rmSync } from "node:fs";
import { engineStats } from "../../lib/engine/compile";
import { tf } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { evaluate } from "../../lib/experiment/evaluate";
import { openExperiment } from "../../lib/experiment/open";
import { rlModel } from "../../lib/experiment/rl";
import { runFolder } from "../../lib/experiment/run";
import { miniatureSettings, withTests, writePictures } from "./miniature";
import { option } from "./option";
import { report } from "./report";
import { laterHalf, slopeOf } from "./slope";

const ANIMALS = 4;

/** What is counted. */
interface Count {
  tensors: number;
  residentBytes: number;
  openFiles: number;
  traces: number;
}

/** The last count of a phase, and its slopes a step (or batch of answers) over the later half. */
export interface Phase {
  counts: number;
  last: Count;
  slopes: Count;
}

function count(): Count {
  return {
    tensors: tf.memory().numTensors,
    residentBytes: process.memoryUsage.rss(),
    openFiles: process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0,
    traces: engineStats().length,
  };
}

function phaseOf(counts: readonly Count[]): Phase {
  const later = laterHalf(counts);
  const slope = (of: (one: Count) => number): number => slopeOf(later.map(of));
  return {
    counts: counts.length,
    last: counts[counts.length - 1],
    slopes: {
      tensors: slope((one) => one.tensors),
      residentBytes: slope((one) => one.residentBytes),
      openFiles: slope((one) => one.openFiles),
      traces: slope((one) => one.traces),
    },
  };
}

/** Runs both. @param say hears how far it is */
export async function soak(
  steps: number,
  photographs: number,
  say: (text: string) => void = () => undefined,
): Promise<{ training: Phase; evaluation: Phase }> {
  const tests = Math.ceil(photographs / ANIMALS);
  await writePictures(tests);
  const run = `torture-soak-${process.pid}`;
  const settings = miniatureSettings(run, withTests(tests), `rl.steps=${steps}`, "rl.saveSteps=50", "eval.limit=0");
  const experiment = await openExperiment(settings, { say: () => undefined });
  const [training, evaluation]: Count[][] = [[], []];
  try {
    const { params } = await rlModel(experiment, "tapo", {
      onMetrics: (step) => {
        training.push(count());
        if (step % 50 === 0) say(`step ${step} of ${steps}`);
      },
    });
    disposeTree(params);
    await evaluate(experiment, "tapo", {
      onProgress: (done, total, note) => {
        if (note !== "rows answered") return;
        evaluation.push(count());
        if (done % 400 === 0) say(`${done} of ${total} rows answered`);
      },
    });
    return { training: phaseOf(training), evaluation: phaseOf(evaluation) };
  } finally {
    experiment.close();
    rmSync(runFolder({ run }), { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const [steps, photographs] = [option("--steps", 1000), option("--photographs", 1000)];
  const found = await soak(steps, photographs, (text) => void process.stdout.write(`${text}\n`));
  report("soak", { steps, photographs, ...found });
  process.stdout.write(`${JSON.stringify(found)}\n`);
}

if (require.main === module) void main();
