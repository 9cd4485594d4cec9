import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { valueAndGradients } from "../../lib/engine/gradients";
import { foldIn, random } from "../../lib/util/random";
import { tf, type Params, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { forward } from "../../lib/model/forward";
import { encodeImages } from "../../lib/model/vision";
import { commonShape, visionInputs, visionPlan, visionShape, type Grid } from "../../lib/model/vision-plan";
import { collate, modelInputs } from "../../lib/processor/collate";
import { conversationRow } from "../../lib/processor/conversation";
import { processImage, type ProcessedImage } from "../../lib/processor/image-processor";
import type { RlPrompt } from "../../lib/rollout/groups";
import { photographs } from "../../lib/train/images";
import { groupRows, sampleGroups } from "../../lib/train/rl-rollouts";
import { createScoreStep } from "../../lib/train/rl-step";
import { trainSft } from "../../lib/train/sft";
import { createWorkbench, type Workbench } from "../../lib/train/workbench";
import { relativeError, toyConfig, toyParams, toyPreprocessor, toyProcessor, toyRl, toySft } from "../helpers/tiny";

const SIZES: Record<string, [width: number, height: number]> = {
  wide: [40, 16],
  tall: [8, 24],
  square: [24, 24],
  other: [24, 24],
  third: [24, 24],
  large: [48, 40],
};
const NAMES = Object.keys(SIZES);

let bench: Workbench;
let params: Params;
const processed = new Map<string, ProcessedImage>();
let reads: string[] = [];

beforeAll(() => {
  const processor = toyProcessor();
  const config = toyConfig(processor);
  for (const [name, [width, height]] of Object.entries(SIZES)) {
    const draw = random(foldIn(3, name));
    processed.set(
      name,
      processImage(toyPreprocessor, {
        width,
        height,
        data: Uint8Array.from({ length: width * height * 3 }, () => draw.integer(256)),
      }),
    );
  }
  const grids = new Map([...processed].map(([name, { grid }]) => [name, grid]));
  const images = photographs(grids, (name) => {
    reads.push(name);
    const { pixelValues, grid } = processed.get(name)!;
    return Promise.resolve({ pixelValues: pixelValues.slice(), grid });
  });
  bench = createWorkbench({ config, processor, images });
  params = toyParams(config);
});
afterAll(() => {
  disposeTree(params);
  bench.dispose();
});

const tensorOf = ({ pixelValues, grid }: ProcessedImage): Tensor =>
  tf.tensor2d(pixelValues, [grid[0] * grid[1] * grid[2], 96]);

describe("photographs", () => {
  it("are read when they are loaded, once, and leave memory when others are", async () => {
    reads = [];
    await bench.images.load(["wide", "tall", "wide"]);
    await bench.images.load(["tall", "square"]);
    expect(reads).toEqual(["wide", "tall", "square"]);
    expect(() => bench.images.patches(["wide"], null)).toThrow("wide was not loaded");
    expect(() => bench.images.patches(["tall"], { seeds: [1], strength: 0.5 })).toThrow(
      /square drawings; set sft\.augmentation=0/,
    );
    await expect(bench.images.load(["nowhere.jpg"])).rejects.toThrow("nowhere.jpg: is no image of this run");
    const changed = photographs(new Map<string, Grid>([["wide", [1, 2, 2]]]), () =>
      Promise.resolve(processed.get("wide")!),
    );
    await expect(changed.load(["wide"])).rejects.toThrow("wide: has 1 x 4 x 10 patches; 1 x 2 x 2 when the run began");
  });

  it("have the features of each alone, whatever pads their batch", async () => {
    await bench.images.load(NAMES);
    const features = bench.features(params, NAMES);
    const places = bench.places(NAMES);
    expect(bench.shape(NAMES).patches).toBeGreaterThan(
      visionShape(
        bench.config,
        places.map(({ grid }) => grid),
      ).patches,
    );
    NAMES.forEach((name, i) =>
      tf.tidy(() => {
        const alone = encodeImages(
          params,
          bench.config,
          tensorOf(processed.get(name)!),
          visionInputs(visionPlan(bench.config, [places[i].grid])),
        );
        expect(
          relativeError({ [name]: tf.slice(features, places[i].first, alone.shape[0]) }, { [name]: alone }),
        ).toBeLessThan(1e-5);
      }),
    );
    features.dispose();
  });

  it("leave every gradient as it is without padding", async () => {
    await bench.images.load(["wide", "tall", "large"]);
    const grids = ["wide", "tall", "large"].map((name) => bench.images.grid(name));
    const tight = visionShape(bench.config, grids);
    const roomy = commonShape([bench.shape(["wide", "tall", "large"]), bench.shape(["large", "large"])]);
    expect(roomy.windows).toBeGreaterThan(tight.windows);
    tf.tidy(() => {
      const gradients = (shape: typeof tight): Params => {
        const { pixelValues, vision } = bench.batch(["wide", "tall", "large"], null, shape);
        return valueAndGradients(
          params,
          Object.keys(params).filter((name) => name.startsWith("visual.")),
          (p) => {
            const features = tf.slice(encodeImages(p, bench.config, pixelValues, vision), 0, tight.patches / 4);
            return {
              loss: tf.sum(tf.mul(features, tf.sin(tf.reshape(tf.range(0, features.size), features.shape)))),
              metrics: {},
            };
          },
        ).gradients;
      };
      const [padded, own] = [gradients(roomy), gradients(tight)];
      expect(Object.keys(own).some((name) => name.endsWith(".bias"))).toBe(true);
      expect(relativeError(padded, own)).toBeLessThan(1e-4);
    });
  });

  it("refuse a shape that is too small, or holds no whole merge groups", () => {
    const grids: Grid[] = [[1, 4, 10]];
    const shape = visionShape(bench.config, grids);
    expect(() => visionPlan(bench.config, grids, { ...shape, windows: shape.windows - 1 })).toThrow(
      /the images need windows 10; the shape has 9/,
    );
    expect(() => visionPlan(bench.config, grids, { ...shape, patches: shape.patches + 1 })).toThrow(
      /41 patches isn't made of merge groups of 4/,
    );
    expect(() => visionPlan(bench.config, grids, { ...shape, patches: shape.patches + 4 })).toThrow(/hold no 44/);
  });
});

describe("SFT on photographs", () => {
  it("has the loss of whole rows through the general way, in one part or several, by one function", async () => {
    const conversations = NAMES.map((image, i) => ({
      image,
      turns: [
        { user: "What animal is this?", assistant: ` ${["cat", "dog", "red fox", "cat", "white ears", "tail"][i]}` },
      ],
    }));
    let [sum, count] = [0, 0];
    for (const conversation of conversations) {
      const image = processed.get(conversation.image)!;
      const { inputIds, predicted } = conversationRow(conversation, bench.processor, image.grid);
      tf.tidy(() => {
        const logits = forward(
          params,
          bench.config,
          modelInputs(bench.config, collate(bench.config, [{ inputIds, images: [image] }], { padTokenId: 0 })),
        );
        const logProbs = tf.logSoftmax(tf.reshape(logits, [inputIds.length, -1])).arraySync() as number[][];
        predicted.forEach((on, t) => {
          if (on) [sum, count] = [sum - logProbs[t - 1][inputIds[t]], count + 1];
        });
      });
    }
    for (const gradientAccumulationSteps of [1, 2, 3]) {
      const before = tf.memory().numTensors;
      const { params: trained, log } = await trainSft(
        params,
        bench,
        { ...toySft, batchSize: 6, gradientAccumulationSteps, learningRate: 0 },
        { conversations, seed: 5, bf16: false },
      );
      expect(log[0].loss).toBeCloseTo(sum / count, 4);
      disposeTree(trained);
      expect(tf.memory().numTensors).toBe(before);
    }
  });
});

describe("RL on photographs", () => {
  const prompt = (anchor: string, positive: string, negative: string): RlPrompt => ({
    anchor,
    positive,
    negative,
    user: "What animal is this?",
    groundTruth: "cat",
    options: null,
    domainNames: ["cat", "dog"],
  });
  const prompts = [
    prompt("square", "other", "third"),
    prompt("wide", "wide", "wide"),
    prompt("large", "large", "large"),
  ];

  it("draws the same rollouts however many prompts are read at a time", async () => {
    const settings = { ...toyRl, augmentation: 0 };
    const all = await sampleGroups(params, bench, prompts, { settings, intra: true, seed: 3 });
    const one = await sampleGroups(params, bench, prompts, { settings: { ...settings, promptsPerCall: 1 }, intra: true, seed: 3 });
    expect(one.map((group) => group.rollouts.map(({ tokenIds }) => tokenIds))).toEqual(
      all.map((group) => group.rollouts.map(({ tokenIds }) => tokenIds)),
    );
    expect(one.every((group) => group.rollouts.length === settings.numGenerations)).toBe(true);
  });

  it("scores what was sampled, by the image it was sampled from, as the sampler did", async () => {
    const settings = { ...toyRl, augmentation: 0, conditionOn: "sampled" as const };
    const groups = await sampleGroups(params, bench, prompts, { settings, intra: true, seed: 4 });
    const made = groupRows(groups, bench, settings, 4);
    const images = await made.images();
    const scored = createScoreStep(bench, settings.temperature, false)(params, images, made.rows);
    const [values, weights] = [scored.dataSync(), made.rows.weights.dataSync()];
    const worst = made.samplerLogProbs.reduce((most, p, i) => Math.max(most, weights[i] * Math.abs(p - values[i])), 0);
    expect(Array.from(weights).reduce((a, b) => a + b)).toBe(made.tokens);
    expect(worst).toBeLessThan(1e-4);
    disposeTree(images, scored, made.rows, made.negativeFeatureIndex);
  });

  it("needs a negative of the anchor's size", async () => {
    const settings = { ...toyRl, augmentation: 0 };
    const groups = await sampleGroups(params, bench, [prompt("square", "other", "wide")], { settings, intra: true, seed: 4 });
    expect(() => groupRows(groups, bench, settings, 1)).toThrow(
      "wide has 1 x 4 x 10 patches, its anchor square 1 x 6 x 6",
    );
  });
});
