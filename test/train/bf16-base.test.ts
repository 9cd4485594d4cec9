import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canCompile, isBf16 } from "../../lib/engine/native";
import { widened } from "../../lib/engine/resident";
import { isNative, tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { loadModel, saveModel } from "../../lib/model/checkpoint";
import { initLora, isLora, isLoraWeight, mergeLora } from "../../lib/model/lora";
import { LORA_DEFAULTS } from "../../lib/model/lora-config";
import type { Conversation } from "../../lib/processor/conversation";
import type { Group, RlPrompt } from "../../lib/rollout/groups";
import { trainRl } from "../../lib/train/rl";
import type { RlLog } from "../../lib/train/rl-log";
import { trainSft, type SftLog } from "../../lib/train/sft";
import type { Workbench } from "../../lib/train/workbench";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { relativeError, toyBench, toyRl, toySft, values } from "../helpers/tiny";

const folder = temporaryFolder();
const checkpoint = path.join(folder, "bf16");
const images = ["a", "b", "c"];
const prompts: RlPrompt[] = ["cat", "dog"].map((groundTruth) => ({
  anchor: "a",
  positive: "b",
  negative: "c",
  user: "Answer.",
  groundTruth,
  options: null,
  domainNames: ["cat", "dog"],
}));
const conversations: Conversation[] = images.flatMap((image) =>
  prompts.map(({ user, groundTruth }) => ({ image, turns: [{ user, assistant: `<answer> ${groundTruth}</answer>` }] })),
);
let bench: Workbench;

/** A model that answers cat or dog, stored in bfloat16. */
beforeAll(async () => {
  const made = await toyBench(images);
  bench = made.bench;
  const { params } = await trainSft(
    made.params,
    bench,
    { ...toySft, batchSize: 6, epochs: 25, learningRate: 1e-2 },
    { conversations, seed: 0, bf16: false },
  );
  saveModel(checkpoint, { config: bench.config, params, dtype: "BF16" });
  disposeTree(made.params, params);
});
afterAll(() => bench.dispose());

/** The checkpoint with a fresh adapter beside it, its base held in `dtype`. */
function withAdapter(dtype: "auto" | "float32"): Params {
  const { params } = loadModel(checkpoint, { dtype });
  expect(Object.values(params).every(isBf16)).toBe(dtype === "auto" && canCompile());
  const lora = { ...LORA_DEFAULTS, rank: 4, alpha: 16, targetModules: "all-linear" };
  return { ...params, ...initLora(bench.config, lora, 5) };
}

const only = (params: Params, wanted: (name: string) => boolean): Params =>
  Object.fromEntries(Object.entries(params).filter(([name]) => wanted(name)));

/** The base as float32 numbers. */
function baseValues(params: Params): Record<string, number[]> {
  const wide = Object.fromEntries(
    Object.entries(only(params, (name) => !isLora(name))).map(([name, tensor]) => [name, widened(tensor)]),
  );
  const out = values(wide);
  disposeTree(wide);
  return out;
}

/**
 * Trains a copy of the checkpoint with each way of holding its base: the logs, the trained adapters, and what became of
 * the base.
 */
async function both<Log>(
  train: (params: Params) => Promise<{ params: Params; log: Log[] }>,
): Promise<{ logs: Log[][]; error: number }> {
  const logs: Log[][] = [];
  const adapters: Params[] = [];
  for (const dtype of ["float32", "auto"] as const) {
    const params = withAdapter(dtype);
    const [before, base] = [tf.memory().numTensors, baseValues(params)];
    const start = values(only(params, isLoraWeight));
    const { params: trained, log } = await train(params);
    const frozen = only(trained, (name) => !isLora(name));
    expect(Object.values(frozen).every(isBf16)).toBe(dtype === "auto" && canCompile());
    expect(Object.values(only(trained, isLora)).some(isBf16)).toBe(false);
    expect(baseValues(trained)).toEqual(base);
    expect(values(only(trained, isLoraWeight))).not.toEqual(start);
    expect(tf.memory().numTensors).toBe(before + Object.keys(trained).length);
    logs.push(log);
    adapters.push(only(trained, isLoraWeight));
    disposeTree(
      params,
      only(trained, (name) => !isLoraWeight(name)),
    );
  }
  const error = relativeError(adapters[1], adapters[0]);
  disposeTree(adapters);
  return { logs, error };
}

describe.each([
  // products in float32: bfloat16 weights are widened, no number differs; in bfloat16: they are rounded in either case
  [false, 1e-4],
  [true, 2e-2],
])("an adapter over a base held in bfloat16, products in bfloat16: %s", (bf16, tolerance) => {
  const close = (a: number, b: number): void =>
    expect(Math.abs(a - b)).toBeLessThan(tolerance * Math.max(1, Math.abs(b)));

  it("SFT: the losses of the base in float32; the base stays", async () => {
    const { logs, error } = await both<SftLog>((params) =>
      trainSft(params, bench, { ...toySft, batchSize: 3, epochs: 2 }, { conversations, seed: 3, bf16 }),
    );
    expect(logs[1]).toHaveLength(4);
    logs[1].forEach((entry, i) => {
      close(entry.loss!, logs[0][i].loss!);
      close(entry.gradNorm!, logs[0][i].gradNorm!);
      expect(entry.gradNorm).toBeGreaterThan(0);
    });
    if (!bf16) expect(error).toBeLessThan(1e-2);
  });

  it("RL: rollouts are sampled and scored, and the adapter takes the step of the base in float32", async () => {
    const groups: Group[][] = [];
    const { logs, error } = await both<RlLog>((params) =>
      trainRl(
        params,
        bench,
        { ...toyRl, augmentation: 0, steps: 1 },
        { method: "tapo", prompts, seed: 5, bf16, onStep: (_, __, sampled) => void groups.push([...sampled]) },
      ),
    );
    const texts = groups.map((step) => step.map((group) => group.rollouts.map(({ tokenIds }) => tokenIds)));
    if (!bf16) {
      expect(texts[texts.length / 2]).toEqual(texts[0]);
      for (const field of ["reward", "kl", "negativeEntropy", "gradNorm"] as const)
        close(logs[1][0][field]!, logs[0][0][field]!);
      expect(error).toBeLessThan(1e-2);
    }
    logs.flat().forEach((entry) => {
      expect(entry.skipped).toBe(0);
      expect(entry.gradNorm).toBeGreaterThan(0);
    });
  });
});

describe("a base held in bfloat16", () => {
  it("SFT with layers computed again in the backward pass, in parts, the initial parameters given up", async () => {
    const run = async (dtype: "auto" | "float32"): Promise<SftLog[]> => {
      const { params, log } = await trainSft(
        withAdapter(dtype),
        bench,
        { ...toySft, batchSize: 4, gradientAccumulationSteps: 2, gradientCheckpointing: "layers" },
        { conversations, seed: 3, bf16: false, donateInitial: true },
      );
      disposeTree(params);
      return log;
    };
    const [float32, auto] = [await run("float32"), await run("auto")];
    auto.forEach(({ loss }, i) => expect(Math.abs(loss! - float32[i].loss!)).toBeLessThan(1e-4));
  });

  it.skipIf(!isNative)("is merged and saved as that of the base in float32", () => {
    const saved = (["float32", "auto"] as const).map((dtype) => {
      const params = withAdapter(dtype);
      for (const name of Object.keys(params).filter((key) => key.endsWith("lora_B.weight"))) {
        const { shape } = params[name];
        params[name].dispose();
        params[name] = tf.fill(shape, 0.01);
      }
      const merged = mergeLora(params);
      const dir = path.join(folder, `merged-${dtype}`);
      saveModel(dir, { config: bench.config, params: merged, dtype: "F32" });
      disposeTree(params, merged);
      const read = loadModel(dir).params;
      const out = values(read);
      disposeTree(read);
      return out;
    });
    expect(saved[1]).toEqual(saved[0]);
  });
});
