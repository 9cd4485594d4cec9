/** The project's own measurements as amounts of work with their times: what speeds are fitted to. */
import * as path from "node:path";
import { parseConfig, type ModelConfig } from "../model/config";
import { readJson } from "../util/files";
import { repositoryRoot } from "../util/root";
import type { Sample } from "./fit";
import { sizeConfig } from "./models";
import { decoderFlops, decoderShape, trainingFactor, visionFlops, type DecoderShape } from "./flops";

/** Kinds of processor that the benchmark tells apart. */
export const CPU_KINDS = ["amx", "avx512"] as const;
export type CpuKind = (typeof CPU_KINDS)[number];

/** What was measured on a CPU, two threads. */
export interface CpuMeasurements {
  /** Products of 1,024 x 1,024 float32 matrices, operations a second: what shares are of. */
  productRate: number;
  /** Training steps: operations, and layers that are passed. */
  training: Sample[];
  /** Sampling: operations, and layers of decoding steps. */
  sampling: Sample[];
  /** A whole TAPO step, of which nothing is fitted: work of its update and of its sampling. */
  tapo: { name: string; seconds: number; update: readonly number[]; sampling: readonly number[] } | null;
}

/** What was measured on a GPU, an H100. */
export interface GpuMeasurements {
  /** Products of 4,096 x 4,096 bfloat16 matrices, operations a second. */
  productRate: number;
  /** Training steps in bfloat16, by what runs them: operations, and layers. */
  graph: Sample[];
  xla: Sample[];
  /** The same in float32, graph. */
  float32: Sample[];
  /** Decoding: layers of its steps. Operations are next to nothing there. */
  decoding: Sample[];
  /** A TAPO update in float32, of which nothing is fitted. */
  update: Sample;
}

export interface Measurements {
  cpu: Record<CpuKind, CpuMeasurements>;
  h100: GpuMeasurements;
  /** Decoding with the 3B model's shapes, one row, on two cores of a third CPU: bytes of bfloat16 weights a second. */
  cpuWeightBytesPerSecond: number;
  /** The first token there, which nothing is fitted to: operations of reading a prompt with an image. */
  bigFirstToken: Sample;
}

/** Sizes of the benchmark's small decoder in a variant such as `f32,steps=3,b=4`; those of `train-step` otherwise. */
export function gptSize(variant: string) {
  const size = { v: 1024, d: 128, layers: 4, heads: 4, t: 128, b: 16 };
  for (const word of variant.split(",")) {
    const [name, value] = word.split("=");
    if (value !== undefined && Object.hasOwn(size, name)) size[name as keyof typeof size] = Number(value);
  }
  return size;
}

/** A training step of it: forward and backward of `b` rows, all places scored. */
export function gptSample(name: string, variant: string, seconds: number): Sample {
  const { v, d, layers, t, b } = gptSize(variant);
  const shape: DecoderShape = {
    hiddenSize: d,
    intermediateSize: 4 * d,
    numHiddenLayers: layers,
    kvSize: d,
    vocabSize: v,
  };
  return { name, seconds, work: [trainingFactor("whole", false) * b * decoderFlops(shape, t, t), layers] };
}

/** Tokens and patches of a drawing for the shipped base: 64 x 64 pixels in patches of 8. */
const PATCHES = 64;

/** Work of sampling: prompts read with an image each, then `rows` responses. */
export function samplingWork(
  config: ModelConfig,
  {
    prompts,
    promptTokens,
    rows,
    newTokens,
  }: { prompts: number; promptTokens: number; rows: number; newTokens: number },
): number[] {
  const shape = decoderShape(config);
  const read = prompts * (visionFlops(config, PATCHES) + decoderFlops(shape, promptTokens, 1));
  const written = rows * decoderFlops(shape, newTokens, newTokens, promptTokens);
  return [read + written, newTokens * shape.numHiddenLayers];
}

/** Work of a TAPO update: each group's prompt and responses under its own image and under the negative's. */
export function updateWork(
  config: ModelConfig,
  { groups, promptTokens, rows, newTokens }: { groups: number; promptTokens: number; rows: number; newTokens: number },
): number[] {
  const shape = decoderShape(config);
  const pass =
    groups * (decoderFlops(shape, promptTokens, 0) + visionFlops(config, PATCHES)) +
    rows * decoderFlops(shape, newTokens, newTokens, promptTokens);
  return [2 * trainingFactor("whole", false) * pass, 2 * shape.numHiddenLayers + config.vision.depth];
}

interface BenchRow {
  name: string;
  ours: number;
  work: { ours: Record<string, number> };
  machine: { instructions: string };
}

interface GrowthRow {
  case: string;
  points: { variant: string; x: number; seconds: number }[];
  machine: { instructions: string };
}

interface GpuReport {
  products: { bfloat16Tflops: number };
  profiles: {
    name: string;
    result: {
      steps: number;
      functions: { name: string; calls: number; seconds: number }[];
      tokens: Record<string, number>;
    };
  }[];
}

/** Tokens of a prompt of the benchmark's sampling cases, image included. */
const promptTokensOf = (bench: readonly BenchRow[]): number => {
  const { promptTokens, images } = bench.find(({ name }) => name === "rollout")!.work.ours;
  return promptTokens / images;
};

function cpuMeasurements(
  kind: CpuKind,
  config: ModelConfig,
  allBench: readonly BenchRow[],
  allGrowth: readonly GrowthRow[],
): CpuMeasurements {
  const bench = allBench.filter(({ machine }) => machine.instructions === kind);
  const growth = allGrowth.filter(({ machine }) => machine.instructions === kind);
  const row = (name: string): BenchRow => bench.find((one) => one.name === name)!;
  const promptTokens = promptTokensOf(bench);
  const shape = decoderShape(config);
  const sft = row("vlm-sft-step").work.ours;
  const sftFlops =
    sft.rows *
    (decoderFlops(shape, sft.tokens / sft.rows, sft.responseTokens / sft.rows) + visionFlops(config, PATCHES));
  const sampled = (name: string, seconds: number, prompts: number, rows: number): Sample => ({
    name,
    seconds,
    work: samplingWork(config, { prompts, promptTokens, rows, newTokens: 60 }),
  });
  const group = row("rollout-group").work.ours;
  const tapo = row("tapo-step").work.ours;
  const newTokens = tapo.newTokens / tapo.rows;
  return {
    productRate: row("matmul").work.ours.flops / row("matmul").work.ours.products / (row("matmul").ours / 1000),
    training: [
      gptSample("train-step", "f32", row("train-step").ours / 1000),
      {
        name: "vlm-sft-step",
        seconds: row("vlm-sft-step").ours / 1000,
        work: [trainingFactor("whole", false) * sftFlops, shape.numHiddenLayers + config.vision.depth],
      },
      ...growth
        .filter((series) => series.case === "train-step")
        .flatMap(({ points }) => points.map(({ variant, seconds }) => gptSample(variant, variant, seconds))),
    ],
    sampling: [
      sampled("rollout", row("rollout").ours, row("rollout").work.ours.images, row("rollout").work.ours.rows),
      sampled("rollout-group", row("rollout-group").ours, group.images, group.rows),
      ...growth
        .filter((series) => series.case === "rollout-group")
        .flatMap(({ points }) =>
          points.map(({ variant, x, seconds }) =>
            sampled(`rollout-group ${variant}`, seconds, group.images, group.images * x),
          ),
        ),
    ],
    tapo: {
      name: "tapo-step",
      seconds: row("tapo-step").ours,
      update: updateWork(config, { groups: tapo.groups, promptTokens, rows: tapo.rows, newTokens }),
      sampling: samplingWork(config, { prompts: 2 * tapo.groups, promptTokens, rows: tapo.rows, newTokens }),
    },
  };
}

/** Of the shipped experiment's defaults, which `profile` runs: rollouts of a group, groups of an update. */
const PROFILED = { numGenerations: 10, groups: 8, updates: 2 };

function gpuMeasurements(
  config: ModelConfig,
  report: GpuReport,
  steps: { variant: string; compiler: string; seconds: number }[],
  promptTokens: number,
): GpuMeasurements {
  const gpt = (type: string, compiler: string): Sample[] =>
    steps
      .filter((step) => step.variant.split(",")[0] === type && step.compiler === compiler)
      .map(({ variant, seconds }) => gptSample(`${compiler} ${variant}`, variant, seconds));
  const profiled = (name: string) => report.profiles.find((one) => one.name === name)!.result;
  const call = (profile: string, name: string): number => {
    const { calls, seconds } = profiled(profile).functions.find((one) => one.name === name)!;
    return seconds / calls;
  };
  const tapo = profiled("tapo");
  const rows = PROFILED.groups * PROFILED.numGenerations;
  const newTokens = tapo.tokens.trained / tapo.steps / PROFILED.updates / rows;
  return {
    productRate: report.products.bfloat16Tflops * 1e12,
    graph: gpt("bf16", "graph"),
    xla: gpt("bf16", "xla"),
    float32: gpt("f32", "graph"),
    decoding: ["rollout", "tapo"].map((name) => ({
      name: `decoding step of profile ${name}`,
      seconds: call(name, "rollout.decode"),
      work: [config.text.numHiddenLayers],
    })),
    update: {
      name: "rl.step.contrast of profile tapo",
      seconds: call("tapo", "rl.step.contrast"),
      work: updateWork(config, { groups: PROFILED.groups, promptTokens, rows, newTokens }),
    },
  };
}

interface BigRun {
  model: { parameters: number };
  prompt: { tokens: number; imageGridThw: [number, number, number] };
  ours: { secondsPerToken: number; firstTokenSeconds: number };
}

function firstToken({ prompt, ours }: BigRun): Sample {
  const config = sizeConfig("3B");
  const patches = prompt.imageGridThw.reduce((a, b) => a * b, 1);
  return {
    name: "first token of the 3B model's shapes (parity-big)",
    seconds: ours.firstTokenSeconds,
    work: [visionFlops(config, patches) + decoderFlops(decoderShape(config), prompt.tokens, 1), 0],
  };
}

/** Reads what is published: `test/bench`, `docs/gpu-report.json`, `docs/gpu-steps.json`, `docs/parity-big.json`. */
export function readMeasurements(root = repositoryRoot()): Measurements {
  const at = <T>(name: string): T => readJson(path.join(root, name)) as T;
  const config = parseConfig(at("data/base/config.json"), "data/base/config.json");
  const bench = at<BenchRow[]>("test/bench/results.json");
  const growth = at<GrowthRow[]>("test/bench/growth.json");
  const big = at<BigRun>("docs/parity-big.json");
  const { steps } = at<{ steps: { variant: string; compiler: string; seconds: number }[] }>("docs/gpu-steps.json");
  const cpu = (kind: CpuKind): CpuMeasurements => cpuMeasurements(kind, config, bench, growth);
  return {
    cpu: { amx: cpu("amx"), avx512: cpu("avx512") },
    h100: gpuMeasurements(config, at<GpuReport>("docs/gpu-report.json"), steps, promptTokensOf(bench)),
    cpuWeightBytesPerSecond: (2 * big.model.parameters) / big.ours.secondsPerToken,
    bigFirstToken: firstToken(big),
  };
}
