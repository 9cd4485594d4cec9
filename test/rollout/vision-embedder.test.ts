import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { tf } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { loadModel } from "../../lib/model/checkpoint";
import { encodeImages } from "../../lib/model/vision";
import { visionInputs, visionPlan } from "../../lib/model/vision-plan";
import { loadProcessor } from "../../lib/processor/processor";
import { createVisionEmbedder } from "../../lib/rollout/vision-embedder";

const fixture = path.join(__dirname, "../fixtures/parity/fixture-tied");

describe("createVisionEmbedder", () => {
  const { config, params } = loadModel(path.join(fixture, "model"));
  const processor = loadProcessor(path.join(fixture, "model"));
  afterAll(() => disposeTree(params));
  it("is the mean of the tower's features, for images of any size, and leaves nothing behind", async () => {
    const files = ["square", "ragged"].map((name) => path.join(fixture, "images", `${name}.png`));
    const embed = createVisionEmbedder(params, config, processor);
    const before = tf.memory().numTensors;
    const vectors = await embed(files);
    expect(tf.memory().numTensors).toBe(before);
    const { pixelValues, grid } = await processor.image(files[1]);
    const expected = tf.tidy(() => {
      const plan = visionPlan(config, [grid]);
      const features = encodeImages(
        params,
        config,
        tf.tensor2d(pixelValues, [plan.patches, pixelValues.length / plan.patches]),
        visionInputs(plan),
      ).arraySync();
      return features[0].map((_, d) => features.reduce((sum, row) => sum + row[d], 0) / features.length);
    });
    expect(vectors.map((vector) => vector.length)).toEqual([config.text.hiddenSize, config.text.hiddenSize]);
    expected.forEach((x, d) => expect(vectors[1][d]).toBeCloseTo(x, 4));
  });
});
