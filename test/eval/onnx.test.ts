import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeDirectory, hasOnnx, openTowers, padTexts, type OnnxTowers } from "../../lib/eval/onnx";

const fixtures = path.join(__dirname, "../fixtures/onnx");
const folder = mkdtempSync(path.join(tmpdir(), "onnx-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Reference {
  prompt: string;
  names: string[];
  inputIds: number[][];
  text: number[][];
  images: Record<string, number[]>;
}
const reference = (kind: string): Reference =>
  JSON.parse(readFileSync(path.join(fixtures, `${kind}.json`), "utf8")) as Reference;
const difference = (a: ArrayLike<number>, b: readonly number[]): number =>
  Math.max(...b.map((x, i) => Math.abs(x - a[i])));

describe("padTexts", () => {
  const rows = [
    [7, 1, 2, 9],
    [7, 3, 9],
  ];
  const listed = (kind: "clip" | "siglip", maxTokens: number): number[] =>
    Array.from(padTexts(rows, kind, maxTokens, 5).data, Number);

  it("pads CLIP's texts to the longest and SigLIP's to the full length; a cut text keeps its end token", () => {
    expect(padTexts(rows, "clip", 6, 5).dims).toEqual([2, 4]);
    expect(listed("clip", 6)).toEqual([7, 1, 2, 9, 7, 3, 9, 5]);
    expect(listed("siglip", 6)).toEqual([7, 1, 2, 9, 5, 5, 7, 3, 9, 5, 5, 5]);
    expect(listed("siglip", 3)).toEqual([7, 1, 9, 7, 3, 9]);
  });
});

describe("directories", () => {
  const made = (name: string, config: string): string => {
    mkdirSync(path.join(folder, name), { recursive: true });
    writeFileSync(path.join(folder, name, "config.json"), config);
    return path.join(folder, name);
  };

  it("says what a directory is", () => {
    expect(describeDirectory(path.join(fixtures, "clip"))).toEqual({ kind: "clip", maxTokens: 16 });
    expect(describeDirectory(made("published", '{"model_type":"siglip","text_config":{}}'))).toEqual({
      kind: "siglip",
      maxTokens: 64,
    });
    expect(describeDirectory(made("old", '{"model_type":"clip"}')).maxTokens).toBe(77);
  });

  it.each([
    ["none", null, /none\/config\.json: no such file/],
    ["broken", "{", /broken\/config\.json: no valid JSON/],
    ["llava", '{"model_type":"llava"}', /model_type is "llava"; clip or siglip expected/],
    ["zero", '{"model_type":"clip","text_config":{"max_position_embeddings":0}}', /max_position_embeddings is 0/],
    ["empty", '{"model_type":"clip"}', /empty: tokenizer\.json is not there; the layout of transformers\.js/],
  ])("refuses %s", async (name, config, message) => {
    const dir = config === null ? path.join(folder, name) : made(name, config);
    await expect(openTowers(dir)).rejects.toThrow(message);
  });

  it.skipIf(hasOnnx())("says how to get the package where it is absent", async () => {
    await expect(openTowers(path.join(fixtures, "clip"))).rejects.toThrow(/zero-shot --install/);
  });
});

// The package is 470 MB and no dependency: `npm run -s fine-r1 -- zero-shot --install`, then these run too.
describe.skipIf(!hasOnnx()).each(["clip", "siglip"] as const)("%s through ONNX", (kind) => {
  let towers: OnnxTowers;
  const { prompt, names, text, images } = reference(kind);
  const files = Object.keys(images).map((name) => path.join(fixtures, `${name}.png`));
  beforeAll(async () => void (towers = await openTowers(path.join(fixtures, kind), { batchSize: 2 })));
  afterAll(() => towers.close());

  it("gives names the vectors that transformers gives them, whatever shares the batch", async () => {
    const vectors = await towers.texts(names.map((name) => prompt.replace("{}", name)));
    vectors.forEach((vector, i) => expect(difference(vector, text[i])).toBeLessThan(2e-6));
    expect(difference(vectors[0], text[1])).toBeGreaterThan(0.01); // names differ
  });

  it("gives images the vectors that transformers gives them; a resized one but for the resampling", async () => {
    const vectors = await towers.images(files);
    Object.entries(images).forEach(([name, vector], i) =>
      expect(difference(vectors[i], vector), name).toBeLessThan(name === "wide" ? 0.02 : 2e-6),
    );
    expect(difference(vectors[0], images.blocks)).toBeGreaterThan(0.01);
  });

  it("has no vision where the text tower alone was asked for", async () => {
    const alone = await openTowers(path.join(fixtures, kind), { vision: false });
    await expect(alone.images(files)).rejects.toThrow("without its vision tower");
    await alone.close();
  });
});
