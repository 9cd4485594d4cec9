import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import sharp, { type Sharp } from "sharp";
import { describe, expect, it } from "vitest";
import { imageDataUri } from "../../lib/processor/image-uri";
import { forEachAtOnce } from "../../lib/util/parallel";
import { fingerprint } from "../../lib/util/hash";
import { temporaryFolder, writeTree } from "../benchmark/photographs/trees";

const folder = temporaryFolder();
const picture = sharp({ create: { width: 40, height: 20, channels: 3, background: { r: 200, g: 30, b: 30 } } });
const decode = (uri: string): Sharp => sharp(Buffer.from(uri.slice(uri.indexOf(",") + 1), "base64"));

describe("imageDataUri", () => {
  it("sends the bytes as they are where they may go as they are", async () => {
    const file = path.join(folder, "a.png");
    writeFileSync(file, await picture.clone().png().toBuffer());
    expect(await imageDataUri(file)).toBe(`data:image/png;base64,${readFileSync(file).toString("base64")}`);
    expect(await imageDataUri(file, 800)).toMatch(/^data:image\/png/); // 40 x 20 is the limit
  });
  it("makes smaller what has too many pixels, turns upright what lies, and encodes other formats anew", async () => {
    const [large, turned, tiff] = ["l.png", "t.jpg", "x.tiff"].map((name) => path.join(folder, name));
    writeFileSync(large, await picture.clone().png().toBuffer());
    writeFileSync(turned, await picture.clone().withMetadata({ orientation: 6 }).jpeg().toBuffer());
    writeFileSync(tiff, await picture.clone().tiff().toBuffer());
    const sizes = await Promise.all(
      [imageDataUri(large, 200), imageDataUri(turned), imageDataUri(tiff), imageDataUri(turned, 200)].map(
        async (uri) => {
          const { format, width, height } = await decode(await uri).metadata();
          return `${format} ${width}x${height}`;
        },
      ),
    );
    expect(sizes).toEqual(["jpeg 20x10", "jpeg 20x40", "jpeg 40x20", "jpeg 10x20"]);
  });
  it("names a file that is missing, no image or cut off", async () => {
    await expect(imageDataUri(path.join(folder, "none.png"))).rejects.toThrow(
      /none\.png: can't be read as an image \(no such file/,
    );
    const file = path.join(folder, "cut.png");
    const whole = await picture.clone().png().toBuffer();
    writeFileSync(file, whole.subarray(0, whole.length - 30));
    await expect(imageDataUri(file)).rejects.toThrow(/cut\.png: can't be read as an image/);
  });
});

describe("forEachAtOnce", () => {
  it("keeps so many under way, and after a failure starts no other but waits for those that run", async () => {
    const log: string[] = [];
    let running = 0;
    let most = 0;
    const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const task = async (item: number): Promise<void> => {
      most = Math.max(most, ++running);
      await tick();
      if (item === 2) {
        running--;
        throw new Error("two");
      }
      await tick();
      running--;
      log.push(`end ${item}`);
    };
    await expect(forEachAtOnce([0, 1, 2, 3, 4, 5, 6, 7], 2, task)).rejects.toThrow("two");
    expect([log, most, running]).toEqual([["end 0", "end 1", "end 3"], 2, 0]);
    await forEachAtOnce([], 2, task);
  });
});

describe("fingerprint", () => {
  it("changes with a name, a size or a byte, also in the middle of a file", () => {
    const of = (files: Record<string, string | Uint8Array>, name: string): string =>
      fingerprint(writeTree(path.join(folder, name), files));
    const large = new Uint8Array(200_000);
    const one = of({ "config.json": "{}", "model.safetensors": large }, "f1");
    expect(of({ "config.json": "{}", "model.safetensors": large }, "f2")).toBe(one);
    const changed = Uint8Array.from(large, (_, i) => (i === 123_456 ? 1 : 0));
    const others = [
      of({ "config.json": "{}", "model.safetensors": changed }, "f3"),
      of({ "config.json": "{ }", "model.safetensors": large }, "f4"),
      of({ "conf.json": "{}", "model.safetensors": large }, "f5"),
    ];
    expect(new Set([one, ...others]).size).toBe(4);
  });
});
