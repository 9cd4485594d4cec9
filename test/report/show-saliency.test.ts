import sharp from "sharp";
import { describe, expect, it } from "vitest";
import type { MimeBundle } from "../../lib/report/kernel";
import { saliencyPicture, saliencyText, showSaliency } from "../../lib/report/show-saliency";
import { saliencyOverlay, scaleColour } from "../../lib/report/saliency-picture";
import type { ImageSaliency, SaliencyMap } from "../../lib/train/saliency";
import { disposeTree } from "../../lib/engine/tree";
import type { Group } from "../../lib/rollout/groups";
import { toyBench, toyRl } from "../helpers/tiny";

const white = (width: number, height: number) => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).fill(255),
});
/** 2 x 4 places of 8 pixels; all of the gradient in one of them. */
const mapAt = (place: number, share = 1): SaliencyMap => ({
  source: "anchor",
  image: white(32, 16),
  rows: 2,
  columns: 4,
  values: Array.from({ length: 8 }, (_, i) => (i === place ? share : (1 - share) / 7)),
  total: 2.5,
  logProb: -0.25,
});
const saliency: ImageSaliency = {
  tokens: ["<answer>", " red", " <fox>", "</answer>"],
  span: [1, 3],
  own: mapAt(6),
  negative: { ...mapAt(1, 0.5), source: "negative", logProb: -4 },
};
/** Mean RGB of a square of a picture. */
async function meanAt(png: Buffer, left: number, top: number, side: number): Promise<number[]> {
  const { channels } = await sharp(
    await sharp(png).extract({ left, top, width: side, height: side }).toBuffer(),
  ).stats();
  return channels.slice(0, 3).map(({ mean }) => mean);
}
const lightness = ([r, g, b]: readonly number[]): number => 0.2126 * r + 0.7152 * g + 0.0722 * b;

describe("scaleColour", () => {
  it("gets lighter with each step, from violet to yellow, and is clipped", () => {
    expect([scaleColour(0), scaleColour(1)]).toEqual([
      [68, 1, 84],
      [253, 231, 37],
    ]);
    expect([scaleColour(-1), scaleColour(2)]).toEqual([scaleColour(0), scaleColour(1)]);
    const steps = Array.from({ length: 21 }, (_, i) => lightness(scaleColour(i / 20)));
    steps.slice(1).forEach((value, i) => expect(value).toBeGreaterThan(steps[i]));
  });
});

describe("saliencyOverlay", () => {
  it("is brightest where the map is, row and column, in the image's shape", async () => {
    for (const place of [0, 3, 5]) {
      const png = await saliencyOverlay(mapAt(place), 1, 160);
      expect(await sharp(png).metadata()).toMatchObject({ width: 160, height: 80 });
      const brightness = await Promise.all(
        Array.from({ length: 8 }, async (_, i) =>
          lightness(await meanAt(png, 40 * (i % 4) + 10, 40 * Math.floor(i / 4) + 10, 20)),
        ),
      );
      expect(brightness.indexOf(Math.max(...brightness))).toBe(place);
    }
  });

  it("leaves the image to be seen: dark below light under one colour", async () => {
    const half = white(16, 16);
    half.data.fill(0, 16 * 8 * 3);
    const even: SaliencyMap = { ...mapAt(0), image: half, rows: 2, columns: 2, values: [0.25, 0.25, 0.25, 0.25] };
    const png = await saliencyOverlay(even, 0.25, 16);
    const [top, bottom] = [lightness(await meanAt(png, 0, 0, 6)), lightness(await meanAt(png, 0, 10, 6))];
    expect(top - bottom).toBeCloseTo(0.4 * 255, 0);
  });

  it("takes one value for all that it is above: a scale of two maps", async () => {
    const at = async (full: number): Promise<number[]> =>
      meanAt(await saliencyOverlay(mapAt(0, 0.5), full, 160), 12, 12, 8);
    expect(lightness(await at(0.5))).toBeGreaterThan(lightness(await at(1)) + 20);
  });
});

describe("saliencyPicture", () => {
  it("has two images, two maps and a scale side by side", async () => {
    const png = await saliencyPicture(saliency, 64);
    expect((await sharp(png).metadata()).width).toBe(8 + 5 * 72);
    expect((await sharp(png).stats()).isOpaque).toBe(true); // on a dark page too
  });
  it("can draw a map of nothing", async () => {
    const none = { ...mapAt(0), values: new Array<number>(8).fill(0), total: 0 };
    await expect(saliencyPicture({ ...saliency, own: none, negative: none }, 32)).resolves.toBeInstanceOf(Buffer);
    expect(saliencyText({ ...saliency, own: none })).toContain(
      "anchor: log-prob -0.25, gradient 0, nothing of the image counts",
    );
  });
});

describe("saliencyText", () => {
  it("says tokens, log-probs and the place that counts most, counted from 1", () => {
    expect(saliencyText(saliency)).toBe(
      "[where “red <fox>” (tokens 1 to 2 of 4) looks. anchor: log-prob -0.25, gradient 2.5, most at row 2 of 2, column 3 of 4 (100 %); negative: log-prob -4.00, gradient 2.5, most at row 1 of 2, column 2 of 4 (50 %)]",
    );
  });
});

describe("showSaliency", () => {
  it("shows a PNG whose alt text and plain text are the words, of one token where one is chosen", async () => {
    const shown: [MimeBundle, { metadata?: Record<string, { alt: string }> }][] = [];
    const key = Symbol.for("fine-r1.kernel");
    const kernels = globalThis as unknown as Record<symbol, unknown>;
    kernels[key] = { display: (...args: (typeof shown)[number]) => shown.push(args) };
    const { bench, params } = await toyBench();
    const group = {
      prompt: { anchor: "a", positive: "b", negative: "c", user: "Which?" },
      augmentationSeeds: [1, 2, 3],
      rollouts: [{ tokenIds: [40, 50, 60], logProbs: [0, 0, 0], source: "anchor" }],
      advantages: [0],
    } as unknown as Group;
    const settings = { ...toyRl, augmentation: 0 };
    try {
      await showSaliency(params, bench, group, { settings, token: 1 });
      await expect(showSaliency(params, bench, group, { settings, token: 3 })).rejects.toThrow("tokens 3 to 4");
      await expect(showSaliency(params, bench, group, { settings, token: 1, span: [0, 1] })).rejects.toThrow(
        "token and span are both given",
      );
    } finally {
      delete kernels[key];
      disposeTree(params);
      bench.dispose();
    }
    expect(shown).toHaveLength(1);
    const [bundle, { metadata }] = shown[0];
    expect(bundle["text/plain"]).toMatch(/\(token 1 of 3\) looks\. anchor: log-prob -/);
    expect(metadata?.["image/png"].alt).toBe(bundle["text/plain"]);
    expect((await sharp(Buffer.from(bundle["image/png"] as string, "base64")).metadata()).format).toBe("png");
  });
});
