import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import sharp from "sharp";
import { afterAll, describe, expect, it } from "vitest";
import { foldIn, random } from "../../lib/util/random";
import { imageAddon, imageAddonProblem, type ImageAddon, type PatchPlan } from "../../lib/processor/image-addon";
import {
  disposeImage,
  loadImage,
  processImage,
  readImage,
  type ProcessedImage,
} from "../../lib/processor/image-processor";
import { parsePreprocessorConfig } from "../../lib/processor/preprocessor-config";
import { resizeBicubic } from "../../lib/processor/resize";

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-addon-"));
afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

/** Noise with full-range edges, so that sums are clipped at both ends. */
function noise(length: number, what: string): Uint8Array {
  const r = random(foldIn(7, what));
  return Uint8Array.from({ length }, () => (r.integer(3) === 0 ? 255 * r.integer(2) : r.integer(256)));
}

/** Equal to the bit; `toEqual` is slow on as many numbers. */
function expectSame(one: ProcessedImage, other: ProcessedImage, what: string): void {
  const bytesOf = ({ pixelValues: { buffer, byteOffset, byteLength } }: ProcessedImage): Buffer =>
    Buffer.from(buffer, byteOffset, byteLength);
  expect(one.grid, what).toEqual(other.grid);
  expect(bytesOf(one).equals(bytesOf(other)), what).toBe(true);
}

/** Patches of one pixel, a byte's table its value: what comes out is the resized image. */
const identity = Float32Array.from({ length: 768 }, (_, i) => i & 255);
function plan(
  width: number,
  height: number,
  toWidth: number,
  toHeight: number,
  more: Partial<PatchPlan> = {},
): PatchPlan {
  return {
    pixels: noise(width * height * 3, `${width} x ${height}`),
    width,
    height,
    channels: 3,
    white: false,
    toWidth,
    toHeight,
    horizontalFirst: false,
    patchSize: 1,
    mergeSize: 1,
    frames: 1,
    tables: identity,
    ...more,
  };
}

const withAddon = describe.skipIf(process.env.FINE_R1_ENGINE === "js");

withAddon("the image addon", () => {
  it("is built", () => expect(imageAddonProblem()).toBeNull());
  const addon = imageAddon() as ImageAddon;

  const sizes = [1, 2, 3, 15, 16, 17, 31, 33, 97, 130];
  it.each(["pillow13", "horizontal"] as const)(
    "resizes as TypeScript does, to the bit, in the order %s",
    async (order) => {
      const r = random(foldIn(7, "sizes"));
      const any = (): number => sizes[r.integer(sizes.length)];
      const cases = Array.from({ length: 150 }, () => [any(), any(), any(), any()]);
      cases.push(
        [1, 1, 1, 1],
        [1, 1, 40, 3],
        [700, 5, 28, 28],
        [5, 700, 28, 28],
        [300, 200, 300, 40],
        [1500, 9, 7, 9],
        [64, 1000, 63, 99],
      );
      for (const [width, height, toWidth, toHeight] of cases) {
        const one = plan(width, height, toWidth, toHeight, { horizontalFirst: order === "horizontal" });
        const expected = resizeBicubic({ width, height, data: one.pixels }, toWidth, toHeight, order).data;
        expect(
          Buffer.from(Uint8Array.from(await addon.patches(one))).equals(Buffer.from(expected)),
          `${width} x ${height} to ${toWidth} x ${toHeight}`,
        ).toBe(true);
      }
    },
  );

  it.each([
    ["Qwen2.5-VL's", {}],
    [
      "small patches, three frames",
      { patch_size: 3, merge_size: 3, temporal_patch_size: 3, min_pixels: 81, max_pixels: 9000 },
    ],
    [
      "one patch a block",
      {
        patch_size: 16,
        merge_size: 1,
        temporal_patch_size: 1,
        min_pixels: 256,
        max_pixels: 40000,
        image_mean: [0.5, 0, 1],
        image_std: [1, 0.3, 7],
      },
    ],
  ])("cuts and normalises as TypeScript does, to the bit: %s", async (_, json) => {
    const config = parsePreprocessorConfig(json);
    for (const [width, height] of [
      [1, 1],
      [640, 481],
      [57, 99],
      [1100, 1063],
      [7, 1300],
      [1300, 7],
      [500, 2000],
    ]) {
      const image = { width, height, data: noise(width * height * 3, "cut") };
      expectSame(await readImage(config, image), processImage(config, image), `${width} x ${height}`);
    }
  });

  it("reads files as TypeScript does: grey, alpha dropped or on white, palette, 16 bits, turned", async () => {
    const config = parsePreprocessorConfig({});
    const rgba = sharp(noise(90 * 61 * 4, "rgba"), { raw: { width: 90, height: 61, channels: 4 } });
    const files = {
      "alpha.png": rgba.clone().png(),
      "palette.png": rgba.clone().png({ palette: true }),
      "deep.png": rgba.clone().toColourspace("rgb16").png(),
      "grey.png": rgba.clone().removeAlpha().toColourspace("b-w").png(),
      "grey-alpha.png": rgba.clone().toColourspace("b-w").png(),
      "turned.jpg": rgba.clone().removeAlpha().withMetadata({ orientation: 6 }).jpeg(),
      "cmyk.jpg": rgba.clone().removeAlpha().toColourspace("cmyk").jpeg(),
      "alpha.webp": rgba.clone().webp(),
    };
    for (const [name, image] of Object.entries(files)) {
      const file = path.join(scratch, name);
      await image.toFile(file);
      for (const alpha of ["drop", "white"] as const) {
        const ours = await readImage(config, file, { alpha, maxPixels: 60000 });
        expectSame(ours, await readImage(config, file, { alpha, maxPixels: 60000 }, null), name);
        expectSame(ours, processImage(config, await loadImage(file, alpha), { maxPixels: 60000 }), name);
      }
    }
  });

  it("gives each of many images at once its own patches", async () => {
    const config = parsePreprocessorConfig({});
    const images = Array.from({ length: 24 }, (_, i) => ({
      width: 60 + i,
      height: 90 - i,
      data: noise((60 + i) * (90 - i) * 3, `image ${i}`),
    }));
    const ours = await Promise.all(images.map((image) => readImage(config, image)));
    images.forEach((image, i) => expectSame(ours[i], processImage(config, image), `image ${i}`));
  });

  it("copies the caller's pixels: what is written to them afterwards changes nothing", async () => {
    const config = parsePreprocessorConfig({});
    const image = { width: 80, height: 80, data: noise(80 * 80 * 3, "copied") };
    const expected = processImage(config, image);
    const pending = readImage(config, image);
    image.data.fill(0);
    expectSame(await pending, expected, "copied");
  });

  it("gives an image's memory back, and takes it for the next, which is the same", async () => {
    const config = parsePreprocessorConfig({});
    const image = { width: 600, height: 800, data: noise(600 * 800 * 3, "disposed") };
    const expected = processImage(config, image);
    for (let i = 0; i < 3; i++) {
      const ours = await readImage(config, image);
      expectSame(ours, expected, `time ${i}`);
      disposeImage(ours);
      expect(ours.pixelValues.byteLength).toBe(0);
      disposeImage(ours);
    }
  });

  it.each([undefined, 3, {}, [1]])("releases nothing but a typed array: %j", (wrong) =>
    expect(() => addon.release(wrong as unknown as Float32Array)).toThrow("release: expected a result of patches"),
  );

  it.each<[string, unknown, RegExp]>([
    ["no object", 3, /expected an object/],
    ["nothing", undefined, /expected an object/],
    ["too few bytes", { ...plan(4, 4, 4, 4), pixels: new Uint8Array(47) }, /pixels has 47 elements; expected 48/],
    ["bytes for three channels of four", { ...plan(4, 4, 4, 4), channels: 4 }, /pixels has 48 elements; expected 64/],
    ["numbers of another type", { ...plan(4, 4, 4, 4), pixels: new Float32Array(48) }, /pixels is no Uint8Array/],
    ["a plain array", { ...plan(4, 4, 4, 4), pixels: Array(48).fill(0) }, /pixels is no Uint8Array/],
    [
      "no width",
      { ...plan(4, 4, 4, 4), width: undefined },
      /width is no number; expected an integer from 1 to 1048576/,
    ],
    ["a negative height", { ...plan(4, 4, 4, 4), height: -4 }, /height is -4; expected an integer from 1/],
    ["a fraction", { ...plan(4, 4, 4, 4), toWidth: 1.5 }, /toWidth is 1\.5/],
    ["no number", { ...plan(4, 4, 4, 4), toHeight: NaN }, /toHeight is NaN/],
    ["a side that is too long", { ...plan(4, 4, 4, 4), width: 2 ** 40 }, /width is 1099511627776/],
    ["two channels", { ...plan(4, 4, 4, 4), channels: 2 }, /channels is 2; expected an integer from 3 to 4/],
    [
      "a width that is no multiple",
      { ...plan(4, 4, 30, 28), patchSize: 14, mergeSize: 2 },
      /toWidth is 30; expected a multiple of patchSize \* mergeSize = 28/,
    ],
    [
      "a height that is no multiple",
      { ...plan(4, 4, 28, 27), patchSize: 14, mergeSize: 2 },
      /toHeight is 27; expected a multiple/,
    ],
    ["a patch of nothing", { ...plan(4, 4, 4, 4), patchSize: 0 }, /patchSize is 0; expected an integer from 1 to 1024/],
    ["an output that is too large", plan(4, 4, 2 ** 20, 2 ** 20), /1048576 x 1048576 pixels are too many/],
    [
      "tables that are too short",
      { ...plan(4, 4, 4, 4), tables: new Float32Array(256) },
      /tables has 256 elements; expected 768/,
    ],
    ["alpha by a word", { ...plan(4, 4, 4, 4), white: "white" }, /white is no boolean/],
  ])("refuses %s", (_, wrong, message) => expect(() => addon.patches(wrong as PatchPlan)).toThrow(message));
});

it("FINE_R1_ENGINE=js reads images without the addon", () => {
  const script = path.join(scratch, "js.ts");
  fs.writeFileSync(
    script,
    `import { imageAddon, imageAddonProblem } from ${JSON.stringify(path.join(__dirname, "../../lib/processor/image-addon"))};\nconsole.log(imageAddon(), imageAddonProblem());`,
  );
  const out = execFileSync(process.execPath, ["--import", "tsx", script], {
    cwd: path.join(__dirname, "../.."),
    env: { ...process.env, FINE_R1_ENGINE: "js" },
    encoding: "utf8",
  });
  expect(out).toMatch(/null FINE_R1_ENGINE=js asks for TypeScript/);
});
