/** The committed base against Hugging Face transformers (fixture: tools/parity/base.py). */
import { readFileSync, statSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { disposeTree } from "../../lib/engine/tree";
import { tf } from "../../lib/engine/tensorflow";
import { loadModel } from "../../lib/model/checkpoint";
import { forward } from "../../lib/model/forward";
import { collate, modelInputs } from "../../lib/processor/collate";
import { loadProcessor } from "../../lib/processor/processor";
import { sha256 } from "../../lib/report/static-figures";

const root = path.resolve(__dirname, "../..");
const base = path.join(root, "data/base");
const fixtures = path.join(root, "test/fixtures");
interface Fixture {
  model_sha256: string;
  rows: { image: string; text: string; input_ids: number[]; logits: number[] }[];
}

describe("the committed base", () => {
  const fixture = JSON.parse(readFileSync(path.join(fixtures, "base-logits.json"), "utf8")) as Fixture;

  it("is the one that the fixture was made from, and small", () => {
    const file = path.join(base, "model.safetensors");
    expect(sha256(readFileSync(file))).toBe(fixture.model_sha256);
    expect(statSync(file).size).toBeLessThan(15e6);
  });

  it("gives transformers' token ids and logits (1e-4) on images of two sizes", async () => {
    const { config, params } = loadModel(base);
    const processor = loadProcessor(base);
    for (const row of fixture.rows) {
      const image = path.join(fixtures, row.image);
      const prompt = await processor.prompt([
        {
          role: "user",
          content: [
            { type: "image", image },
            { type: "text", text: row.text },
          ],
        },
      ]);
      expect(prompt.inputIds).toEqual(row.input_ids);
      const inputs = modelInputs(config, collate(config, [prompt], { padTokenId: config.padTokenId! }));
      const logits = forward(params, config, inputs);
      const last = tf.tidy(() => tf.reshape(tf.slice(logits, [0, prompt.inputIds.length - 1, 0], [1, 1, -1]), [-1]));
      const values = last.dataSync();
      const worst = row.logits.reduce(
        (max, expected, i) => Math.max(max, Math.abs(values[i] - expected) / Math.max(1, Math.abs(expected))),
        0,
      );
      expect(worst, `${row.image}: ${row.text}`).toBeLessThan(1e-4);
      disposeTree(logits, last, inputs);
    }
    disposeTree(params);
  });
});
