import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tf, type Params, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import type { Grid } from "../../lib/model/vision-plan";
import type { Group, RlPrompt } from "../../lib/rollout/groups";
import { toPatches } from "../../lib/train/augment";
import { photographs } from "../../lib/train/images";
import { groupRows, sampleGroups } from "../../lib/train/rl-rollouts";
import { createScoreStep } from "../../lib/train/rl-step";
import { answerSpan, imageSaliency, patchNorms, type SaliencyMap, type TokenSpan } from "../../lib/train/saliency";
import { createWorkbench, type Workbench } from "../../lib/train/workbench";
import { foldIn, random } from "../../lib/util/random";
import { toyBench, toyConfig, toyParams, toyPreprocessor, toyProcessor, toyRl } from "../helpers/tiny";

const prompt: RlPrompt = {
  anchor: "a",
  positive: "b",
  negative: "c",
  user: "Which?",
  groundTruth: "cat",
  options: null,
  domainNames: ["cat", "dog"],
};
/** A group whose only response has these tokens. */
const groupOf = (tokenIds: number[], source: "anchor" | "positive" = "anchor"): Group =>
  ({
    prompt,
    augmentationSeeds: [1, 2, 3],
    rollouts: [{ tokenIds, logProbs: tokenIds.map(() => 0), source }],
    advantages: [0],
  }) as unknown as Group;
const settings = { ...toyRl, augmentation: 0, conditionOn: "anchor" as const };
const group = groupOf([40, 50, 60, 70]);
const span: TokenSpan = [1, 3];
/** Pixels of a place: two patches of 4. */
const PLACE = 8;

/** Images of 2 x 5 places, wider than high. */
const [HEIGHT, WIDTH] = [2 * PLACE, 5 * PLACE];
const grid: Grid = [1, HEIGHT / 4, WIDTH / 4];
const patchesOf = (image: Tensor): Tensor => toPatches(tf.reshape(image, [1, HEIGHT, WIDTH, 3]), toyPreprocessor);

let bench: Workbench;
let params: Params;
const images = new Map<string, Tensor>();

/** A bench on the images, with a vision tower whose windows, of one place each, see each other or do not. */
function benchOf(fullattBlockIndexes: number[]): Workbench {
  const processor = toyProcessor();
  const toy = toyConfig(processor);
  const config = { ...toy, vision: { ...toy.vision, fullattBlockIndexes } };
  const read = (name: string) =>
    Promise.resolve({ grid, pixelValues: tf.tidy(() => patchesOf(images.get(name)!).dataSync() as Float32Array) });
  return createWorkbench({
    config,
    processor,
    images: photographs(new Map(["a", "b", "c"].map((n) => [n, grid])), read),
  });
}

beforeAll(() => {
  for (const name of ["a", "b", "c"]) {
    const draw = random(foldIn(11, name));
    const pixels = Float32Array.from({ length: HEIGHT * WIDTH * 3 }, () => draw.integer(256));
    images.set(name, tf.tensor(pixels, [HEIGHT, WIDTH, 3]));
  }
  bench = benchOf([1]);
  params = toyParams(bench.config);
});
afterAll(() => {
  disposeTree(params, [...images.values()]);
  bench.dispose();
});

/** The log-prob of the span as a function of the anchor's pixels (0-255, `[H,W,3]`), by the scoring pass alone. */
async function scorer(of: Workbench): Promise<{ logProb: (image: Tensor) => number; dispose: () => void }> {
  const made = groupRows([group], of, settings, 1);
  const batch = await made.images();
  const score = createScoreStep(of, settings.temperature, false);
  const own = grid[1] * grid[2];
  return {
    logProb: (image) =>
      tf.tidy(() => {
        const rest = tf.slice(batch.pixelValues, [own, 0]);
        const pixelValues = tf.concat([patchesOf(image), rest], 0);
        const scores = score(params, { ...batch, pixelValues }, made.rows).dataSync();
        return Array.from(scores)
          .slice(...span)
          .reduce((a, b) => a + b, 0);
      }),
    dispose: () => disposeTree(batch, made.rows, made.negativeFeatureIndex),
  };
}

/** The image with `change` (steps of 255) added at some pixels. */
const changed = (image: Tensor, where: (y: number, x: number, c: number) => number): Tensor =>
  tf.tidy(() => {
    const values = Float32Array.from(image.dataSync(), (value, i) => {
      const [y, x, c] = [Math.floor(i / (3 * WIDTH)), Math.floor(i / 3) % WIDTH, i % 3];
      return value + where(y, x, c);
    });
    return tf.tensor(values, [HEIGHT, WIDTH, 3]);
  });

/** The same bench, of whose image features the prompt takes one: every other place is read by nothing. */
const seeingOnly = (of: Workbench, place: number): Workbench => ({
  ...of,
  prompt: (text, image) => {
    const row = of.prompt(text, image);
    const first = image?.first ?? 0;
    return { ...row, featureIndex: row.featureIndex.map((index) => (index === first + place ? index : -1)) };
  },
});

describe("imageSaliency", () => {
  it("is the norm of what finite differences of the log-prob give, pixel by pixel", async () => {
    const { own } = await imageSaliency(params, bench, group, { settings, span });
    expect([own.rows, own.columns]).toEqual([2, 5]);
    const { logProb, dispose } = await scorer(bench);
    expect(logProb(images.get("a")!)).toBeCloseTo(own.logProb, 4);
    const [row, column] = [1, 3];
    let squares = 0;
    for (let y = row * PLACE; y < (row + 1) * PLACE; y++)
      for (let x = column * PLACE; x < (column + 1) * PLACE; x++)
        for (let c = 0; c < 3; c++) {
          // 0.05 of the normalised pixel values that the gradient is by
          const step = 0.05 * 255 * toyPreprocessor.imageStd[c];
          const at = (by: number): number => {
            const image = changed(images.get("a")!, (v, u, k) => (v === y && u === x && k === c ? by : 0));
            const value = logProb(image);
            image.dispose();
            return value;
          };
          squares += ((at(step) - at(-step)) / 0.1) ** 2;
        }
    dispose();
    const norm = own.values[row * own.columns + column] * own.total;
    expect(Math.abs(Math.sqrt(squares) / norm - 1)).toBeLessThan(0.02);
  });

  it("lies on the one place that the model reads, wherever that is, and nothing elsewhere counts", async () => {
    const windows = benchOf([]);
    for (const [row, column] of [
      [0, 0],
      [0, 4],
      [1, 0],
      [1, 2],
    ]) {
      const place = row * 5 + column;
      const one = seeingOnly(windows, place);
      const { own, negative } = await imageSaliency(params, one, group, { settings, span });
      const expected = Array.from({ length: 10 }, (_, i) => (i === place ? 1 : 0));
      for (const { values, total } of [own, negative] satisfies SaliencyMap[]) {
        expect(total).toBeGreaterThan(0);
        values.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 6));
      }
      const { logProb, dispose } = await scorer(one);
      const inside = (y: number, x: number): boolean =>
        Math.floor(y / PLACE) === row && Math.floor(x / PLACE) === column;
      const [outside, there] = [false, true].map((here) =>
        changed(images.get("a")!, (y, x) => (inside(y, x) === here ? 40 : 0)),
      );
      expect(logProb(outside)).toBeCloseTo(own.logProb, 5);
      expect(Math.abs(logProb(there) - own.logProb)).toBeGreaterThan(1e-3);
      disposeTree(outside, there);
      dispose();
    }
    windows.dispose();
  });

  it("is all 0 where the model reads nothing of the image", async () => {
    const { own } = await imageSaliency(params, seeingOnly(bench, -1), group, { settings });
    expect(own.total).toBe(0);
    expect(own.values).toEqual(new Array(10).fill(0));
  });

  it("shares out 1, and gives the image that the model saw", async () => {
    const { own, negative, tokens } = await imageSaliency(params, bench, group, { settings });
    expect(tokens).toHaveLength(4);
    for (const [{ values, image, source }, name] of [
      [own, "a"],
      [negative, "c"],
    ] as const) {
      expect(source).toBe(name === "a" ? "anchor" : "negative");
      expect(values.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
      expect(Math.min(...values)).toBeGreaterThan(0);
      expect(image).toMatchObject({ width: WIDTH, height: HEIGHT });
      expect([...image.data]).toEqual([...images.get(name)!.dataSync()]);
    }
    expect(own.values).not.toEqual(negative.values);
  });

  it("reads a response from the positive under the positive, where the update does", async () => {
    const sampled = { ...settings, conditionOn: "sampled" as const };
    const response = groupOf([40, 50], "positive");
    const [own, other] = await Promise.all(
      [sampled, settings].map((how) => imageSaliency(params, bench, response, { settings: how })),
    );
    expect([own.own.source, other.own.source]).toEqual(["positive", "anchor"]);
    expect([...own.own.image.data]).toEqual([...images.get("b")!.dataSync()]);
  });

  it("takes each token's own gradient: log-probs of spans add up", async () => {
    const of = async (chosen: TokenSpan): Promise<number> =>
      (await imageSaliency(params, bench, group, { settings, span: chosen })).own.logProb;
    const [all, ...parts] = await Promise.all([of([0, 4]), of([0, 1]), of([1, 3]), of([3, 4])]);
    expect(parts.reduce((a, b) => a + b)).toBeCloseTo(all, 4);
  });

  it("leaves no tensor, also where it fails", async () => {
    await imageSaliency(params, bench, group, { settings });
    const before = tf.memory().numTensors;
    await imageSaliency(params, bench, group, { settings, span: [0, 1] });
    const broken = {
      ...bench,
      images: { ...bench.images, load: () => Promise.reject(new Error("disk is gone")) },
    };
    await expect(imageSaliency(params, broken, group, { settings })).rejects.toThrow("disk is gone");
    expect(tf.memory().numTensors).toBe(before);
  });

  it("says which span or response there isn't", async () => {
    for (const wrong of [
      [2, 2],
      [3, 1],
      [-1, 2],
      [0, 5],
      [0.5, 2],
      [NaN, 1],
    ] as TokenSpan[])
      await expect(imageSaliency(params, bench, group, { settings, span: wrong }), String(wrong)).rejects.toThrow(
        /of a response of 4; expected 0 <= start < end <= 4/,
      );
    await expect(imageSaliency(params, bench, group, { settings, rollout: 1 })).rejects.toThrow(
      "response 1 of a group of 1",
    );
  });

  it("works on the squares of drawings, augmented as the group's were", async () => {
    const drawn = await toyBench(["a", "b", "c"]);
    const how = { ...toyRl, augmentation: 1 };
    const [sampled] = await sampleGroups(drawn.params, drawn.bench, [prompt], { settings: how, intra: true, seed: 3 });
    const { own } = await imageSaliency(drawn.params, drawn.bench, sampled, { settings: how, rollout: 1 });
    expect([own.rows, own.columns]).toEqual([2, 2]);
    const plain = await imageSaliency(drawn.params, drawn.bench, sampled, { settings, rollout: 1 });
    expect([...own.image.data]).not.toEqual([...plain.own.image.data]);
    disposeTree(drawn.params);
    drawn.bench.dispose();
  });
});

describe("patchNorms", () => {
  it("adds the frames of a pixel, then takes the norm over a merge group, from the image's first on", () => {
    const config = { ...toyPreprocessor, patchSize: 1, mergeSize: 1 };
    // 3 places of 3 channels x 2 frames x 1 pixel; the image begins at the second
    const gradient = [9, 9, 9, 9, 9, 9, 1, 2, 0, 0, 2, 2, 1, -1, 0, 0, 0, 6];
    expect(patchNorms(config, gradient, { grid: [1, 2, 1], first: 1 })).toEqual([5, 6]);
  });
});

describe("answerSpan", () => {
  it("is the tokens of the text between the tags, or the last", () => {
    expect(answerSpan(["<think>", "no", "</think>", "<answer>", " red", " fox", "</answer>", "<|im_end|>"])).toEqual([
      4, 6,
    ]);
    expect(answerSpan(["<answer>", " ", "red", " ", "</answer>"])).toEqual([2, 3]);
    expect(answerSpan(["<answer>c", "at</answer>"])).toEqual([0, 2]);
    expect(answerSpan(["<answer>", "", "ß", "", "</answer>"])).toEqual([1, 3]); // the bytes of one character
    expect(answerSpan(["<answer>", "a", "</answer>", "<answer>", "b", "</answer>"])).toEqual([1, 2]);
    for (const none of [
      ["cat", "."],
      ["<answer>", "</answer>"],
      ["<answer>", "cat"],
      ["<answer>", "  ", "</answer>"],
    ])
      expect(answerSpan(none), none.join("")).toEqual([none.length - 1, none.length]);
  });
});
