import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { valueAndGradients } from "../../lib/engine/gradients";
import { tf, type Params, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import type { PromptRow } from "../../lib/rollout/types";
import { rowBatch, type TrainingRow } from "../../lib/train/batch";
import { groupBatch, type GroupRow } from "../../lib/train/group-batch";
import { groupLogProbs } from "../../lib/train/group-log-probs";
import { rowLogProbs } from "../../lib/train/row-log-probs";
import type { Workbench } from "../../lib/train/workbench";
import { relativeError, toyBench, toyPlace } from "../helpers/tiny";

let bench: Workbench;
let params: Params;
let features: Tensor;
let prompts: PromptRow[];
const responses: GroupRow[] = [
  { prompt: 0, tokenIds: [11, 12, 13], scored: true },
  { prompt: 1, tokenIds: [14], scored: true },
  { prompt: 0, tokenIds: [15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32], scored: true },
  { prompt: 1, tokenIds: [40, 41], scored: false },
];

beforeAll(async () => {
  ({ bench, params } = await toyBench(["a", "b"]));
  features = bench.features(params, ["a", "b"]);
  prompts = [
    bench.prompt("Answer.", toyPlace(0)),
    bench.prompt("What animal is this? Options: cat, dog, red fox.", toyPlace(1)),
  ];
});
afterAll(() => {
  disposeTree(params, features);
  bench.dispose();
});

const rows = (): TrainingRow[] =>
  responses.map(({ prompt, tokenIds, scored }) => {
    const { inputIds } = prompts[prompt];
    return {
      inputIds: [...inputIds, ...tokenIds],
      predicted: [...inputIds.map(() => false), ...tokenIds.map(() => scored)],
      image: toyPlace(prompt),
    };
  });
const shape = () => ({ lengthBucket: 1, placesBucket: 1 });

describe("prompts that are shared, rows that are packed", () => {
  it("give the log-probs of whole rows, one by one, and the same gradients", () => {
    const group = groupBatch(prompts, responses);
    const plain = rowBatch(
      rows().map((row) => [row]),
      bench.config,
      shape(),
    );
    const packed = rowBatch(
      [
        [rows()[2], rows()[1]],
        [rows()[3], rows()[0]],
      ],
      bench.config,
      shape(),
    );
    const sums: Record<string, (p: Params) => Tensor> = {
      plain: (p) => tf.sum(rowLogProbs(p, bench.config, features, plain, 0.7)),
      group: (p) => tf.sum(tf.mul(groupLogProbs(p, bench.config, features, group, 0.7), group.weights)),
      packed: (p) => tf.sum(rowLogProbs(p, bench.config, features, packed, 0.7)),
    };
    const names = Object.keys(params).filter((name) => !name.startsWith("visual."));
    const out = Object.fromEntries(
      Object.entries(sums).map(([name, sum]) => [
        name,
        valueAndGradients(params, names, (p) => ({ loss: sum(p), metrics: {} })),
      ]),
    );
    for (const other of ["group", "packed"]) {
      expect(relativeError({ loss: out[other].loss }, { loss: out.plain.loss }), other).toBeLessThan(1e-5);
      expect(relativeError(out[other].gradients, out.plain.gradients), other).toBeLessThan(1e-4);
    }
    const one = Array.from(rowLogProbs(params, bench.config, features, plain, 0.7).dataSync());
    const shared = Array.from(groupLogProbs(params, bench.config, features, group, 0.7).dataSync());
    const weights = group.weights.dataSync();
    const [, places] = group.weights.shape;
    expect(places).toBe(24);
    expect(group.inputIds.shape).toEqual([1, 23]); // 2 + 0 + 17 + 1 tokens are read, in a quarter of 4 x 23 places
    shared.filter((_, i) => weights[i] > 0).forEach((p, i) => expect(Math.abs(p - one[i])).toBeLessThan(1e-5));
    expect(Array.from(weights).reduce((a, b) => a + b)).toBe(22); // 3 + 1 + 18
  });

  it("do not see each other", () => {
    const change = (tokenIds: number[]): GroupRow[] =>
      responses.map((row, i) => (i === 2 ? { ...row, tokenIds } : row));
    const first = (group: GroupRow[]): number[] => {
      const batch = groupBatch(prompts, group);
      const scores = Array.from(
        tf.slice(groupLogProbs(params, bench.config, features, batch, 1), [0, 0], [1, 3]).dataSync(),
      );
      disposeTree(batch);
      return scores;
    };
    expect(first(change(responses[2].tokenIds.map((id) => id + 50)))).toEqual(first(responses));
  });

  it("keep the number of tensors flat, and say what is wrong", () => {
    const batch = groupBatch(prompts, responses);
    const before = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) tf.tidy(() => void groupLogProbs(params, bench.config, features, batch, 1));
    expect(tf.memory().numTensors).toBe(before);
    expect(() => groupBatch(prompts, [{ ...responses[0], prompt: 2 }])).toThrow(
      "response 0 belongs to prompt 2; there are 2",
    );
    expect(() =>
      groupBatch([{ inputIds: [], positionIds: [[], [], []], featureIndex: [] }], responses.slice(0, 1)),
    ).toThrow("prompt 0 has no tokens");
  });
});
