import * as path from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { readStage2, resizeLike, stage2Row, writeStage2, type EncodedImage } from "../../lib/formats/stage2";
import { loadImage } from "../../lib/processor/image-processor";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { cornersOf, lyingQuadrants, quadrants } from "../helpers/quadrants";

const folder = temporaryFolder();
const encoded = (bytes: Uint8Array): EncodedImage => ({ bytes: new Uint8Array(bytes), path: null });
const plain = async (width: number, height: number): Promise<EncodedImage> =>
  encoded(await quadrants(width, height).png().toBuffer());
const lying = async (width: number, height: number): Promise<EncodedImage> =>
  encoded(await lyingQuadrants(width, height));

/** Size and corners as the model sees them, and as a reader sees them that heeds no EXIF. */
async function seen({ bytes }: EncodedImage): Promise<string[]> {
  const image = await loadImage(bytes);
  const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return [image, { ...info, data }].map((one) => `${one.width} x ${one.height} ${cornersOf(one)}`);
}

describe("triplets of photographs that lie on their sides", () => {
  it.each([
    // the picture's size as it is seen, the anchor's, and what is to come of it
    [[40, 60], [60, 40], "60 x 40 rgbw"],
    [[40, 60], [30, 20], "30 x 20 rgbw"],
    [[40, 60], [40, 60], "40 x 60 rgbw"],
  ])("a lying negative of %j for an anchor of %j stands upright", async ([w, h], [width, height], expected) => {
    for (const anchor of [await plain(width, height), await lying(width, height)])
      expect(await seen(await resizeLike(await lying(w, h), anchor))).toEqual([expected, expected]);
  });
  it("a plain negative takes the size of a lying anchor as it is seen", async () => {
    const anchor = await lying(40, 60);
    expect(await seen(await resizeLike(await plain(60, 40), anchor))).toEqual(["40 x 60 rgbw", "40 x 60 rgbw"]);
    const fitting = await plain(40, 60);
    expect(await resizeLike(fitting, anchor)).toBe(fitting);
  });
  it("a colour profile and CMYK change nothing of what the model sees", async () => {
    const profiled = encoded(await quadrants(40, 60).withIccProfile("p3").png().toBuffer());
    const { data } = await loadImage(profiled.bytes);
    const { data: resized } = await loadImage((await resizeLike(profiled, await plain(20, 30))).bytes);
    const first = (pixels: Uint8Array): number[] => Array.from(pixels.slice(0, 3));
    expect(first(resized)).toEqual(first(data));
    const cmyk = encoded(await quadrants(40, 60).toColourspace("cmyk").jpeg({ quality: 100 }).toBuffer());
    const [large, small] = [
      await loadImage(cmyk.bytes),
      await loadImage((await resizeLike(cmyk, await plain(20, 30))).bytes),
    ];
    first(small.data).forEach((value, c) => expect(Math.abs(value - large.data[c])).toBeLessThan(3));
  });
  it("a row is stored upright and whole, and found so by the check", async () => {
    const [anchor, positive, negative] = [await lying(40, 60), await plain(60, 40), await lying(40, 60)];
    const row = await stage2Row({ problem: "<image>Which?", answer: "x", anchor, positive, negative });
    for (const image of [row.anchor, row.positive, row.negative])
      expect(await seen(image)).toEqual(["40 x 60 rgbw", "40 x 60 rgbw"]);
    const file = path.join(folder, "good.parquet");
    writeStage2(file, [row]);
    expect((await readStage2(file, "stop", { decode: true })).skipped).toEqual([]);
  });
  it("the check compares upright sizes: equal raw sizes are not enough, other ones no fault", async () => {
    const of = async (name: string, negative: EncodedImage): Promise<string[]> => {
      const file = path.join(folder, name);
      const [anchor, positive] = [await plain(60, 40), await plain(60, 40)];
      writeStage2(file, [{ problem: "<image>Which?", answer: "x", anchor, positive, negative }]);
      return (await readStage2(file, "skip", { decode: true })).skipped.map(({ reason }) => reason);
    };
    expect(await of("raw.parquet", await lying(40, 60))).toEqual([
      'column "image_aug" has an image of 40 x 60 pixels; the anchor\'s 60 x 40 expected',
    ]);
    expect(await of("seen.parquet", await lying(60, 40))).toEqual([]);
    expect(await of("none.parquet", encoded(Buffer.from("no image")))).toEqual([
      expect.stringMatching(/^column "image_aug" has an image that cannot be decoded \(unsupported image format/),
    ]);
  });
});
