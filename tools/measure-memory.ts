/**
 * Peak memory of a training step, measured and as `lib/model/memory-plan.ts` foresees it: `npm run measure-memory`.
 * Each case runs in a process of its own; what is counted is the highest resident set after TensorFlow has started.
 * Writes docs/memory.json.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import * as path from "node:path";
import { adamWDefaults, adamWInit } from "../lib/engine/optimizer";
import { tf, type Params, type Tensor } from "../lib/engine/tensorflow";
import { disposeTree } from "../lib/engine/tree";
import type { ModelConfig } from "../lib/model/config";
import { parameterCounts, trainingPhase } from "../lib/model/memory-plan";
import { paramShapes, parameterCount } from "../lib/model/shapes";
import { tinyConfig } from "../lib/model/tiny";
import { encodeImages } from "../lib/model/vision";
import {
  imagePlaces,
  visionInputs,
  visionPlan,
  type Grid,
  type ImagePlace,
  type VisionInputs,
} from "../lib/model/vision-plan";
import { rowBatch, type RowBatch } from "../lib/train/batch";
import { rowLogProbs } from "../lib/train/row-log-probs";
import { createUpdate } from "../lib/train/update";

const TINY = tinyConfig(2500, {
  imageTokenId: 2490,
  videoTokenId: 2491,
  visionStartTokenId: 2492,
  visionEndTokenId: 2493,
  eosTokenId: 2494,
  padTokenId: 2495,
});
/** Some 100 million parameters. */
const MID: ModelConfig = {
  ...TINY,
  text: {
    ...TINY.text,
    vocabSize: 16000,
    hiddenSize: 768,
    intermediateSize: 2048,
    numHiddenLayers: 12,
    numAttentionHeads: 12,
    numKeyValueHeads: 4,
    headDim: 64,
    mropeSection: [8, 12, 12],
  },
  vision: { ...TINY.vision, depth: 4, hiddenSize: 512, intermediateSize: 1344, numHeads: 8, outHiddenSize: 768 },
};

interface Case {
  name: string;
  config: ModelConfig;
  rows: number;
  /** Text tokens of a row, and how many of them are scored. */
  text: number;
  scored: number;
  recompute: boolean;
  /** Parts of the update, each of these rows. */
  parts?: number;
}
const CASES: Case[] = [
  { name: "tiny", config: TINY, rows: 32, text: 96, scored: 64, recompute: false },
  { name: "mid, parameters only", config: MID, rows: 1, text: 4, scored: 1, recompute: false },
  { name: "mid, parameters only, two parts", config: MID, rows: 1, text: 4, scored: 1, recompute: false, parts: 2 },
  { name: "mid", config: MID, rows: 8, text: 256, scored: 32, recompute: false },
  { name: "mid, layers recomputed", config: MID, rows: 8, text: 256, scored: 32, recompute: true },
];

/** Runs two updates on random tokens; prints the bytes by which the resident set grew at most. */
function measure({ config, rows, text, scored, recompute, parts = 1 }: Case): void {
  const warm = tf.tidy(() => tf.matMul(tf.ones([64, 64]), tf.ones([64, 64])).dataSync()[0]);
  if (warm !== 64) throw new Error("TensorFlow does not multiply");
  const start = process.memoryUsage().rss;
  const side = 2 * config.vision.spatialMergeSize;
  const grid: Grid = [1, side, side];
  const tokensPerImage = (side / config.vision.spatialMergeSize) ** 2;
  const inputIds = [
    config.visionStartTokenId,
    ...new Array<number>(tokensPerImage).fill(config.imageTokenId),
    config.visionEndTokenId,
    ...Array.from({ length: text }, (_, i) => 10 + (i % 500)),
  ];
  const grids = new Array<Grid>(rows).fill(grid);
  const row = (image: ImagePlace) => ({
    inputIds,
    predicted: inputIds.map((_, i) => i >= inputIds.length - scored),
    image,
  });
  const batch = rowBatch(
    imagePlaces(config, grids).map((place) => [row(place)]),
    config,
    { lengthBucket: 1, placesBucket: 1 },
  );
  const vision = visionInputs(visionPlan(config, grids));
  const patches = rows * side * side;
  const pixels = tf.randomUniform(
    [patches, config.vision.inChannels * config.vision.temporalPatchSize * config.vision.patchSize ** 2],
    -1,
    1,
    "float32",
    1,
  );
  type Batch = { rows: RowBatch; vision: VisionInputs; pixels: Tensor };
  const update = createUpdate<Batch>({
    name: "measured",
    trainable: (p) => Object.keys(p),
    optimizer: adamWDefaults,
    maxGradNorm: 1,
    skipNotFinite: false,
    parts,
    compile: {},
    loss: (p, b) => ({
      loss: tf.neg(
        tf.mean(rowLogProbs(p, config, encodeImages(p, config, b.pixels, b.vision, recompute), b.rows, 1, recompute)),
      ),
      tokens: tf.scalar(1),
      metrics: {},
    }),
  });
  let params: Params = Object.fromEntries(
    Object.entries(paramShapes(config)).map(([name, shape]) => [name, tf.fill(shape, shape.length === 1 ? 1 : 0.01)]),
  );
  let state = adamWInit(params);
  const rate = tf.scalar(1e-4);
  for (let step = 0; step < 2; step++) {
    const next = update(params, state, new Array<Batch>(parts).fill({ rows: batch, vision, pixels }), parts, rate);
    next.metrics.loss.dataSync();
    disposeTree(next.metrics);
    [params, state] = [next.params, next.state];
  }
  process.stdout.write(String(1024 * process.resourceUsage().maxRSS - start));
}

/**
 * Without TensorFlow's pool of large blocks, and with freed blocks given back at once: what is in use, not what is
 * kept.
 */
const NO_POOL = { TF_ENABLE_ONEDNN_OPTS: "0", MALLOC_MMAP_THRESHOLD_: "1000000" };

const index = process.argv[2];
if (index !== undefined) measure(CASES[Number(index)]);
else {
  const results = CASES.map((one, i) => {
    const { name, config, rows, text, scored, recompute, parts = 1 } = one;
    const peak = (more: Record<string, string>): number =>
      Number(
        execFileSync(process.execPath, ["--import", "tsx", __filename, String(i)], {
          cwd: path.join(__dirname, ".."),
          stdio: ["ignore", "pipe", "ignore"],
          env: { ...process.env, ...more },
        }),
      );
    const measured = peak({});
    const inUse = peak(NO_POOL);
    const counts = parameterCounts(config, null, true);
    const plan = trainingPhase(
      name,
      config,
      counts,
      { rows, promptTokens: 6 + text - scored, responseTokens: scored, images: rows, imagePatches: 16 },
      1,
      true,
      recompute,
    );
    const held = 16 * counts.trained; // parameters, gradients, two moments
    const result = {
      name,
      parameters: parameterCount(config),
      rows,
      parts,
      tokens: 6 + text,
      measuredMib: Math.round(measured / 2 ** 20),
      plannedMib: Math.round(plan.bytes / 2 ** 20),
      plannedOverMeasured: +(plan.bytes / measured).toFixed(2),
      measuredOverHeld: +(measured / held).toFixed(2),
      inUseMib: Math.round(inUse / 2 ** 20),
      inUseOverHeld: +(inUse / held).toFixed(2),
    };
    console.log(JSON.stringify(result));
    return result;
  });
  const report = {
    date: new Date().toISOString().slice(0, 10),
    processor: cpus()[0].model,
    node: process.version,
    held: "parameters, gradients and two moments in float32",
    results,
  };
  writeFileSync(path.join(__dirname, "../docs/memory.json"), `${JSON.stringify(report, null, 2)}\n`);
}
