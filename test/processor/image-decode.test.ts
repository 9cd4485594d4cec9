import * as fs from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { decodeImage, readImageHeader, uprightImage, uprightSize } from "../../lib/processor/image-decode";
import { imageDataUri } from "../../lib/processor/image-uri";
import { loadImage, readImage } from "../../lib/processor/image-processor";
import { imageGrid } from "../../lib/processor/image-size";
import { parsePreprocessorConfig } from "../../lib/processor/preprocessor-config";
import { loadProcessor } from "../../lib/processor/processor";
import { temporaryFolder } from "../benchmark/photographs/trees";

const fixtures = path.join(__dirname, "../fixtures");
/** Files and their pixels as Pillow reads them: test/fixtures/images/make.py. */
const cases = Object.entries(
  JSON.parse(fs.readFileSync(path.join(fixtures, "images/pillow.json"), "utf8")) as Record<
    string,
    { file: string; width: number; height: number; drop: string; white: string }
  >,
).map(([name, one]) => ({ ...one, name, bytes: new Uint8Array(Buffer.from(one.file, "base64")) }));
const bytesOf = (name: string): Uint8Array => cases.find((one) => one.name === name)!.bytes;
const base64 = (data: Uint8Array): string => Buffer.from(data).toString("base64");
const folder = temporaryFolder();
const fileOf = (name: string, bytes: Uint8Array): string => {
  const file = path.join(folder, name);
  fs.writeFileSync(file, bytes);
  return file;
};

describe("an image's pixels are Pillow's", () => {
  it.each(cases.map((one) => [one.name, one] as const))("%s", async (_, { bytes, width, height, drop, white }) => {
    for (const source of [bytes, fileOf("under-another-name.jpg", bytes)]) {
      expect(await uprightSize(source)).toMatchObject({ width, height });
      for (const [alpha, expected] of [
        ["drop", drop],
        ["white", white],
      ] as const) {
        const image = await loadImage(source, alpha);
        expect([image.width, image.height]).toEqual([width, height]);
        expect(base64(image.data)).toBe(expected);
      }
    }
  });
  it("has every kind among them", () => {
    expect(cases.filter((one) => one.drop !== one.white).map((one) => one.name)).toEqual([
      "rgba.png",
      "clear.png",
      "grey alpha.png",
      "palette alpha.png",
      "32 masks V3, alpha.bmp",
      "32 masks V4, alpha.bmp",
      "32 masks V5, alpha.bmp",
      "32 masks RGBA.bmp",
      "32 masks ABGR.bmp",
      "32 masks of zeros.bmp",
    ]);
    expect(cases.filter((one) => one.name.endsWith(".bmp"))).toHaveLength(22);
  });
});

describe("the inks by hand", () => {
  it("cyan, magenta, yellow, black, (100, 50, 0, 100), paper", async () => {
    const { data } = await loadImage(bytesOf("cmyk inks.jpg"));
    expect([0, 1, 2, 3, 4, 5].map((i) => Array.from(data.slice(12 * i, 12 * i + 3)))).toEqual([
      [0, 255, 255],
      [255, 0, 255],
      [255, 255, 0],
      [0, 0, 0],
      [94, 125, 155],
      [255, 255, 255],
    ]);
  });
});

describe("a BMP that is not read", () => {
  /** A 24-bit BMP of 5 x 3 with another number at a place. */
  const changed = (at: number, value: number, size: 16 | 32 = 32): Uint8Array => {
    const bytes = Uint8Array.from(bytesOf("24 up.bmp"));
    const view = new DataView(bytes.buffer);
    if (size === 16) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    return bytes;
  };
  const paletted = Uint8Array.from(bytesOf("8 of 6 colours, down.bmp"));
  paletted[paletted.length - 4] = 6; // the first pixel of the last row
  it.each<[string, Uint8Array, RegExp]>([
    ["16 bits", changed(28, 16, 16), /BMP: 16 bits a pixel under compression 0; .* supported; save it as PNG/],
    ["run lengths", changed(30, 1), /24 bits a pixel under compression 1/],
    ["JPEG inside", changed(30, 4), /under compression 4/],
    ["masks of 24 bits", changed(30, 3), /24 bits a pixel under compression 3/],
    ["OS/2", changed(14, 12), /a header of 12 bytes; 40, 52, 56, 108, 124 are supported/],
    ["no height", changed(22, 0), /BMP: 5 x 0 pixels/],
    ["a negative width", changed(18, 0xfffffff0), /BMP: -16 x 3 pixels/],
    ["more pixels than bytes", changed(22, 4000), /BMP: \d+ bytes of its pixels are missing: it is truncated/],
    ["a size beyond all memory", changed(22, 0x7fffffff), /BMP: 5 x 2147483647 pixels/],
    ["cut off", bytesOf("24 up.bmp").subarray(0, 80), /22 bytes of its pixels are missing/],
    ["cut off in the header", bytesOf("24 up.bmp").subarray(0, 30), /truncated in its header/],
    ["two letters", new Uint8Array([0x42, 0x4d]), /2 bytes are no header/],
    [
      "masks of part of a byte",
      Uint8Array.from(bytesOf("32 masks.bmp"), (x, i) => (i === 54 ? 0xf0 : x)),
      /0xff00f0 is no whole byte/,
    ],
    ["a colour that is not there", paletted, /a pixel has colour 6 of a palette of 6/],
  ])("%s", async (_, bytes, message) => {
    await expect(decodeImage(bytes)).rejects.toThrow(message);
    await expect(decodeImage(fileOf("bad.bmp", bytes))).rejects.toThrow(/bad\.bmp: can't be read as an image \(BMP: /);
  });
});

describe("everything that reads an image", () => {
  const config = parsePreprocessorConfig({ patch_size: 2, merge_size: 1, min_pixels: 4, max_pixels: 4000 });
  it("plans a BMP and a turned image with the grid that it then has", async () => {
    for (const { bytes, width, height } of cases.filter((one) => /bmp$|turned|cmyk/.test(one.name))) {
      const grid = await imageGrid(config, bytes);
      expect((await readImage(config, bytes)).grid).toEqual(grid);
      expect(grid[1] > grid[2], `${width} x ${height}`).toBe(height > width);
    }
  });
  it("goes on from the model's pixels in sharp", async () => {
    const { width, height, drop } = cases.find((one) => one.name === "turned 6.png")!;
    const { data, info } = await (
      await uprightImage(bytesOf("turned 6.png"))
    )
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels, base64(data)]).toEqual([width, height, 3, drop]);
  });
  it("says of a file's header what it is", async () => {
    expect(await readImageHeader(bytesOf("turned 6.png"))).toEqual({
      width: 4,
      height: 7,
      turned: true,
      format: "png",
      hasAlpha: false,
      special: false,
    });
    expect(await readImageHeader(bytesOf("cmyk.jpg"))).toMatchObject({ turned: false, special: true });
    expect(await readImageHeader(bytesOf("8.bmp"))).toMatchObject({ format: "bmp", hasAlpha: false });
  });
  it("names a Git LFS pointer", async () => {
    const pointer = Buffer.from("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n");
    for (const read of [decodeImage, uprightSize])
      await expect(read(fileOf("bird.jpg", pointer))).rejects.toThrow(/bird\.jpg: .*\(a Git LFS pointer/);
  });
  it("puts transparency where the processor, or else a call, says", async () => {
    const dir = path.join(fixtures, "parity/fixture-tied/model");
    const clear = fileOf("clear.png", bytesOf("clear.png"));
    const ask = [{ role: "user" as const, content: [{ type: "image" as const, image: clear }] }];
    const [dropped, white] = await Promise.all(
      (["drop", "white"] as const).map((alpha) => loadProcessor(dir).image(clear, { alpha })),
    );
    expect(white.pixelValues).not.toEqual(dropped.pixelValues);
    expect((await loadProcessor(dir).image(clear)).pixelValues).toEqual(dropped.pixelValues);
    const evaluating = loadProcessor(dir, { alpha: "white" });
    expect((await evaluating.image(clear)).pixelValues).toEqual(white.pixelValues);
    expect((await evaluating.image(clear, { alpha: undefined, maxPixels: undefined })).pixelValues).toEqual(
      white.pixelValues,
    );
    expect((await evaluating.prompt(ask)).images[0].pixelValues).toEqual(white.pixelValues);
    expect((await evaluating.prompt(ask, { alpha: "drop" })).images[0].pixelValues).toEqual(dropped.pixelValues);
  });
});

describe("imageDataUri", () => {
  const sent = async (
    name: string,
    maxPixels?: number,
  ): Promise<{ type: string; data: Uint8Array; size: number[] }> => {
    const uri = await imageDataUri(fileOf("sent.jpg", bytesOf(name)), maxPixels);
    const { data, info } = await sharp(Buffer.from(uri.slice(uri.indexOf(",") + 1), "base64"))
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { type: uri.slice(5, uri.indexOf(";")), data, size: [info.width, info.height, info.channels] };
  };
  it("sends what is transparent on white", async () => {
    for (const name of ["rgba.png", "palette alpha.png", "clear.png"]) {
      const { type, data, size } = await sent(name);
      const { data: seen, width, height } = await loadImage(bytesOf(name), "white");
      expect([type, size]).toEqual(["image/png", [width, height, 3]]);
      const worst = data.reduce((most, x, i) => Math.max(most, Math.abs(x - seen[i])), 0);
      expect(worst, name).toBeLessThanOrEqual(1);
    }
    expect((await sent("clear.png", 4)).size).toEqual([2, 2, 3]);
  });
  it("sends CMYK, 16-bit grey and BMP as the model here sees them", async () => {
    for (const name of ["cmyk inks.jpg", "grey16.png", "24 up.bmp"]) {
      const { type, data, size } = await sent(name);
      const { data: seen, width, height } = await loadImage(bytesOf(name));
      expect([type, size]).toEqual(["image/jpeg", [width, height, 3]]);
      const mean = data.reduce((sum, x, i) => sum + Math.abs(x - seen[i]), 0) / data.length;
      expect(mean, name).toBeLessThan(name.startsWith("24") ? 60 : 12); // JPEG: chroma at half size; the BMP is noise
    }
  });
});
