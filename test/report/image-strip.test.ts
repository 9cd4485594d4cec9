import * as fs from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { imageStrip } from "../../lib/report/image-strip";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { cornersOf, lyingQuadrants, quadrants } from "../helpers/quadrants";

const folder = temporaryFolder();
const GAP = 8;

/** The part of a strip that one picture takes. */
async function cut(strip: Buffer, left: number, width: number, height: number): Promise<string> {
  const { data, info } = await sharp(strip)
    .extract({ left, top: GAP + (60 - height) / 2, width, height })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return cornersOf({ ...info, data });
}

describe("imageStrip", () => {
  it("draws a photograph that lies on its side as the model sees it", async () => {
    const file = path.join(folder, "lying.jpg");
    fs.writeFileSync(file, await lyingQuadrants(40, 60));
    for (const image of [file, fs.readFileSync(file)]) {
      const strip = await imageStrip([image, await quadrants(60, 40).png().toBuffer()], { size: 60 });
      // 40 x 60 in the middle of a square of 60, then 60 x 40
      expect(await cut(strip, GAP + 10, 40, 60)).toBe("rgbw");
      expect(await cut(strip, GAP + 60 + GAP, 60, 40)).toBe("rgbw");
    }
  });
  it("puts transparency on white, and names what cannot be shown", async () => {
    const clear = sharp({ create: { width: 4, height: 4, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } } });
    const { data } = await sharp(await imageStrip([await clear.png().toBuffer()], { size: 8 }))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(new Set(data)).toEqual(new Set([255]));
    const file = path.join(folder, "none.png");
    fs.writeFileSync(file, "no image");
    await expect(imageStrip([file])).rejects.toThrow(/none\.png: cannot be shown \(unsupported image format/);
    await expect(imageStrip([Buffer.from("no image")])).rejects.toThrow(
      /^image 0: cannot be shown \(unsupported image format/,
    );
    await expect(imageStrip([])).rejects.toThrow("no images");
  });
});
