import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { encodeImages } from "../../lib/model/vision";
import { visionInputs, visionPlan } from "../../lib/model/vision-plan";
import { processImage } from "../../lib/processor/image-processor";
import { loadImageBank } from "../../lib/train/images";
import type { Workbench } from "../../lib/train/workbench";
import { SIDE, toyBench, toyPixels, toyPlace, toyPreprocessor } from "../helpers/tiny";

let bench: Workbench;
let params: Params;
beforeAll(async () => ({ bench, params } = await toyBench(["a", "b", "c"])) as never);
afterAll(() => disposeTree(params));

describe("workbench", () => {
  it("encodes images of the bank as the image processor and the vision tower do, in the order asked", () => {
    const features = bench.features(params, ["c", "a"]);
    expect(features.shape).toEqual([16, 32]); // padded to the bucket of 4 images
    const direct = tf.tidy(() => {
      const pixels = ["c", "a"].flatMap((path) =>
        Array.from(processImage(toyPreprocessor, toyPixels(path)).pixelValues),
      );
      return Array.from(
        encodeImages(
          params,
          bench.config,
          tf.tensor2d(pixels, [32, 96]),
          visionInputs(
            visionPlan(bench.config, [
              [1, 4, 4],
              [1, 4, 4],
            ]),
          ),
        ).dataSync(),
      );
    });
    const got = features.dataSync();
    expect(direct.reduce((worst, v, i) => Math.max(worst, Math.abs(v - got[i])), 0)).toBeLessThan(1e-4);
  });

  it("augments where asked", () => {
    const plain = bench.features(params, ["a", "b", "c", "a"]).dataSync();
    const at = (strength: number): number => {
      return Math.max(
        ...bench
          .features(params, ["a", "b", "c", "a"], { seeds: [1, 2, 3, 4], strength })
          .dataSync()
          .map((v, i) => Math.abs(v - plain[i])),
      );
    };
    expect(at(0)).toBeLessThan(1e-3);
    expect(at(1)).toBeGreaterThan(0.01);
  });

  it("opens the assistant's turn, and points a prompt's placeholders at its image", () => {
    const { tokenizer } = bench.processor;
    const row = bench.prompt("Parts?", toyPlace(2));
    expect(tokenizer.decode(row.inputIds, { skipSpecialTokens: false })).toMatch(
      /^<\|im_start\|>user\n<\|vision_start\|>(<\|image_pad\|>){4}<\|vision_end\|>Parts\?<\|im_end\|>\n<\|im_start\|>assistant\n$/,
    );
    expect(row.featureIndex.filter((i) => i >= 0)).toEqual([8, 9, 10, 11]);
    expect(row.positionIds.map((axis) => axis.length)).toEqual([1, 1, 1].map(() => row.inputIds.length));
    expect(bench.prompt("Parts?", toyPlace(0)).featureIndex.filter((i) => i >= 0)).toEqual([0, 1, 2, 3]);
    const text = bench.prompt("Parts?", null);
    expect(text.inputIds).not.toContain(bench.config.imageTokenId);
    expect(text.featureIndex.every((i) => i === -1)).toBe(true);
  });

  it("ends at both end tokens and bans what stands for images", () => {
    const name = (id: number): string | null => bench.processor.tokenizer.token(id);
    expect(bench.eosTokenIds.map(name)).toEqual(["<|im_end|>", "<|endoftext|>"]);
    expect(bench.bannedTokenIds).toContain(bench.config.imageTokenId);
    expect(bench.bannedTokenIds).not.toContain(bench.eosTokenIds[0]);
  });

  it("names an image that was not loaded, or is of another size", async () => {
    expect(() => bench.features(params, ["a", "nowhere.png"])).toThrow("nowhere.png was not loaded");
    await expect(loadImageBank(["small.png"], SIDE, () => Promise.resolve(toyPixels("x", 8)))).rejects.toThrow(
      "small.png: 8 x 8 pixels; this image bank holds 16 x 16",
    );
    await expect(
      loadImageBank(["missing.png"], SIDE, (path) => Promise.reject(new Error(`${path}: no such file`))),
    ).rejects.toThrow("missing.png: no such file");
    const bank = await loadImageBank(["a", "b", "a"], SIDE, (path) => Promise.resolve(toyPixels(path)));
    expect([bank.images.shape[0], bank.indexOf("b")]).toEqual([2, 1]);
    bank.dispose();
  });

  it("frees what it holds", async () => {
    const before = tf.memory().numTensors;
    const made = await toyBench(["a"]);
    made.bench.features(made.params, ["a"]).dispose();
    made.bench.dispose();
    disposeTree(made.params);
    expect(tf.memory().numTensors).toBe(before);
  });
});
