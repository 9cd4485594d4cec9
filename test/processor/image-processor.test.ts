import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import sharp from "sharp";
import { afterAll, describe, expect, it } from "vitest";
import { collate } from "../../lib/processor/collate";
import { loadImage, processImage, smartResize } from "../../lib/processor/image-processor";
import { parsePreprocessorConfig, preprocessorConfigToJson } from "../../lib/processor/preprocessor-config";
import { imagesOf, loadProcessor } from "../../lib/processor/processor";
import { resizeBicubic } from "../../lib/processor/resize";
import { loadModel } from "../../lib/model/checkpoint";
import { disposeTree } from "../../lib/engine/tree";

const fixtures = path.join(__dirname, "../fixtures");
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-images-"));
afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

describe("resizeBicubic", () => {
  const { cases } = JSON.parse(fs.readFileSync(path.join(fixtures, "resize.json"), "utf8")) as {
    cases: { width: number; height: number; data: string; to_width: number; to_height: number; expected: string }[];
  };
  it.each(cases.map((c) => [`${c.width}x${c.height} to ${c.to_width}x${c.to_height}`, c] as const))(
    "equals Pillow: %s",
    (_, c) => {
      const data = new Uint8Array(Buffer.from(c.data, "base64"));
      expect(
        Buffer.from(resizeBicubic({ width: c.width, height: c.height, data }, c.to_width, c.to_height).data).toString(
          "base64",
        ),
      ).toBe(c.expected);
    },
  );
});

describe("smartResize", () => {
  it.each([
    [100, 100, 28, 3136, 1003520, 112, 112], // 100 / 28 = 3.57
    [42, 70, 28, 784, 1003520, 56, 56], // halves go to the even multiple: 1.5 -> 2, 2.5 -> 2
    [1000, 2000, 28, 3136, 200704, 308, 616],
    [10, 10, 28, 3136, 1003520, 56, 56],
  ])("%i x %i", (h, w, factor, min, max, height, width) =>
    expect(smartResize(h, w, factor, min, max)).toEqual({ height, width }),
  );
  it("refuses extreme aspect ratios", () =>
    expect(() => smartResize(1, 201, 28, 3136, 1003520)).toThrow(/201 x 1 has an aspect ratio of 201/));
});

describe("loadImage", () => {
  it("applies EXIF orientation, and drops alpha or puts it on white", async () => {
    const pixels = Buffer.from([10, 20, 30, 255, 200, 100, 50, 0]);
    const file = path.join(scratch, "alpha.png");
    await sharp(pixels, { raw: { width: 2, height: 1, channels: 4 } })
      .png()
      .toFile(file);
    expect(Array.from((await loadImage(file)).data)).toEqual([10, 20, 30, 200, 100, 50]);
    expect(Array.from((await loadImage(file, "white")).data)).toEqual([10, 20, 30, 255, 255, 255]);
    const rotated = await sharp(pixels, { raw: { width: 2, height: 1, channels: 4 } })
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer();
    expect(await loadImage(rotated)).toMatchObject({ width: 1, height: 2 });
  });
  it("names a missing file and one that is no image", async () => {
    await expect(loadImage(path.join(scratch, "none.png"))).rejects.toThrow(/none\.png: can't be read as an image/);
    const text = path.join(scratch, "text.png");
    fs.writeFileSync(text, "not an image");
    await expect(loadImage(text)).rejects.toThrow(/text\.png: can't be read as an image/);
  });
});

describe("processImage", () => {
  const config = parsePreprocessorConfig({
    patch_size: 2,
    merge_size: 2,
    min_pixels: 16,
    max_pixels: 64,
    image_mean: [0, 0, 0],
    image_std: [1, 1, 1],
  });
  it("orders patches by merge block, channels before frames before rows", () => {
    const data = Uint8Array.from({ length: 4 * 8 * 3 }, (_, i) => Math.floor(i / 3) + 100 * (i % 3)); // value = pixel + 100 * channel
    const { pixelValues, grid } = processImage(config, { width: 8, height: 4, data });
    expect(grid).toEqual([1, 2, 4]);
    const patch = (n: number): number[] =>
      Array.from(pixelValues.slice(n * 24, (n + 1) * 24), (x) => Math.round(x * 255));
    expect(patch(0)).toEqual([
      0, 1, 8, 9, 0, 1, 8, 9, 100, 101, 108, 109, 100, 101, 108, 109, 200, 201, 208, 209, 200, 201, 208, 209,
    ]);
    expect([1, 2, 3, 4].map((n) => patch(n)[0])).toEqual([2, 16, 18, 4]);
  });
  it("reads both spellings of the limits, which a call may replace", () => {
    expect(parsePreprocessorConfig({ size: { shortest_edge: 16, longest_edge: 99 } })).toMatchObject({
      minPixels: 16,
      maxPixels: 99,
    });
    expect(parsePreprocessorConfig({ size: { shortest_edge: 16, longest_edge: 99 }, min_pixels: 20 })).toMatchObject({
      minPixels: 20,
      maxPixels: 99,
    });
    expect(parsePreprocessorConfig(preprocessorConfigToJson(config))).toEqual(config);
    const image = { width: 16, height: 16, data: new Uint8Array(16 * 16 * 3) };
    expect([processImage(config, image).grid, processImage(config, image, { maxPixels: 256 }).grid]).toEqual([
      [1, 4, 4],
      [1, 8, 8],
    ]);
    expect(() => parsePreprocessorConfig({ min_pixels: -1 }, "p.json")).toThrow(/p\.json: min_pixels is -1/);
    expect(() => parsePreprocessorConfig({ resample: 2 }, "p.json")).toThrow(/resample is 2/);
  });
});

describe("loadProcessor", () => {
  const dir = path.join(fixtures, "parity/fixture-tied");
  const processor = loadProcessor(path.join(dir, "model"));
  const file = path.join(dir, "images/square.png");
  const ask = [
    {
      role: "user" as const,
      content: [
        { type: "image" as const, image: file },
        { type: "text" as const, text: "What is it?" },
      ],
    },
  ];

  it("expands one placeholder per image token, and rows share an image's features", async () => {
    const prompt = await processor.prompt(ask);
    expect(prompt.inputIds.filter((id) => id === processor.imageTokenId)).toHaveLength(16);
    const { config, params } = loadModel(path.join(dir, "model"));
    disposeTree(params);
    const host = collate(config, [prompt, prompt], { padTokenId: 0, length: 80 });
    expect([host.inputIds.length, host.grids.length, Math.max(...host.featureIndex)]).toEqual([160, 1, 15]);
    expect(host.pixelValues).toHaveLength(prompt.images[0].pixelValues.length);
    expect(() => collate(config, [prompt], { padTokenId: 0, length: 8 })).toThrow(
      /row 0 has \d+ tokens, more than the padded length 8/,
    );
    expect(() => collate(config, [{ inputIds: prompt.inputIds, images: [] }], { padTokenId: 0 })).toThrow(
      /row 0: .*0 image grids/,
    );
  });
  it("refuses images after text and placeholders smuggled in by text", async () => {
    expect(() =>
      imagesOf([
        {
          role: "user",
          content: [
            { type: "text", text: "a" },
            { type: "image", image: file },
          ],
        },
      ]),
    ).toThrow(/message 0: an image comes after text/);
    await expect(processor.prompt([{ role: "user", content: "look: <|image_pad|>" }])).rejects.toThrow(
      /1 image placeholders for 0 images/,
    );
  });
  it("names a missing file", () => expect(() => loadProcessor(scratch)).toThrow(/tokenizer\.json: cannot be read/));
});
