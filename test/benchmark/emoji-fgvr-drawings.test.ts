import { beforeAll, describe, expect, it } from "vitest";
import { ensureDrawings, loadEmojiFgvr, loadImages, measure, type RgbImage } from "../../lib/benchmark/emoji-fgvr";
import { foreground } from "../../lib/benchmark/emoji-fgvr/measure";
import { colorDistance, hammingDistance, nearDuplicate, perceptualHash, type HashedImage } from "../../lib/benchmark/emoji-fgvr/hash"; // prettier-ignore

const data = loadEmojiFgvr();
const roles = ["pretraining", "fewshot", "dev", "test"] as const;
let images = new Map<string, RgbImage>();

beforeAll(async () => {
  await ensureDrawings(); // about half a minute the first time
  images = await loadImages(
    data.concepts.flatMap((c) => roles.flatMap((role) => data.drawings(c, role).map((d) => d.path))),
  );
}, 180_000);

/** A size x size image; `paint` gives the RGB of each pixel. */
function painted(size: number, paint: (x: number, y: number) => readonly [number, number, number]): RgbImage {
  const bytes = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) bytes.set(paint(x, y), (y * size + x) * 3);
  return { data: bytes, width: size, height: size };
}

describe("drawings", () => {
  it("are 64 x 64 on white, and touch their frame", () => {
    expect(images.size).toBeGreaterThan(3000);
    for (const [file, image] of images) {
      expect([image.width, image.height, image.data.length], file).toEqual([64, 64, 64 * 64 * 3]);
      expect([...image.data.slice(0, 3)], file).toEqual([255, 255, 255]);
      expect(foreground(image).includes(1), file).toBe(true);
    }
  });

  it("are there already on the second call", async () => {
    expect(await ensureDrawings()).toBe(0);
  });
});

describe("near-duplicates", () => {
  it("cross no split: no test drawing equals a drawing of another role, flags aside", () => {
    const hashed = (role: (typeof roles)[number]): (HashedImage & { path: string })[] =>
      data.concepts
        .filter((c) => c.kind !== "flag")
        .flatMap((c) => data.drawings(c, role))
        .map((d) => {
          const image = images.get(d.path) as RgbImage;
          return { path: d.path, image, hash: perceptualHash(image) };
        });
    const pool = [...hashed("pretraining"), ...hashed("fewshot"), ...hashed("dev")];
    const test = hashed("test");
    expect(test).toHaveLength(350);
    const found = test.flatMap((t) => pool.filter((p) => nearDuplicate(t, p)).map((p) => `${t.path} ~ ${p.path}`));
    expect(found).toEqual([]);
  }, 60_000);

  it("are found when a drawing is copied with small changes, and only then", () => {
    const [one, other] = ["1f981", "1f40a"].map(
      (id) => images.get(`data/cache/emoji-fgvr/twemoji/${id}.png`) as RgbImage,
    );
    const copy: RgbImage = { ...one, data: one.data.map((value) => Math.min(255, value + 4)) };
    const withHash = (image: RgbImage): HashedImage => ({ image, hash: perceptualHash(image) });
    expect(nearDuplicate(withHash(one), withHash(copy))).toBe(true);
    expect(nearDuplicate(withHash(one), withHash(other))).toBe(false);
    const recolored: RgbImage = { ...one, data: one.data.map((_, i) => one.data[i - (i % 3) + ((i + 1) % 3)]) };
    expect(colorDistance(one, recolored)).toBeGreaterThan(11);
    expect(hammingDistance(Uint8Array.of(0b1011), Uint8Array.of(0b0010))).toBe(2);
  });
});

describe("measure", () => {
  const red = [215, 40, 40] as const;
  const white = [255, 255, 255] as const;

  it("names colours, proportions, filling and symmetry", () => {
    const bar = painted(64, (x, y) => (x >= 4 && x < 60 && y >= 24 && y < 40 ? red : white));
    expect(measure(bar)).toMatchObject({ colors: ["red"], shape: ["wide", "slender", "symmetric"] });
    const half = painted(64, (x, y) =>
      x >= 4 && x < 60 && y >= 4 && y < 60 ? (x < 32 ? red : [50, 110, 200]) : white,
    );
    expect(measure(half)).toMatchObject({ colors: ["red", "blue"], shape: ["square", "solid", "asymmetric"] });
    const total = Object.values(measure(half).shares).reduce((a, b) => a + b, 0);
    expect(total).toBeCloseTo(1, 10);
  });

  it("keeps white inside a drawing, and not the paper", () => {
    const ring = painted(64, (x, y) => (Math.max(Math.abs(x - 31.5), Math.abs(y - 31.5)) < 12 || x < 4 || x > 59 || y < 4 || y > 59 ? white : red)); // prettier-ignore
    expect(measure(ring).shares.white).toBeCloseTo((24 * 24) / (56 * 56), 2);
  });

  it("gives a flag its white cloth back", () => {
    const japan = painted(64, (x, y) => (Math.hypot(x - 31.5, y - 31.5) < 12 ? red : white));
    expect(measure(japan).colors).toEqual(["red"]);
    expect(measure(japan, "flag")).toMatchObject({ colors: ["white", "red"], shape: ["wide", "solid", "symmetric"] });
    const poland = painted(64, (x, y) => (x >= 4 && x < 60 && y >= 32 && y < 53 ? red : white));
    expect(measure(poland, "flag").shares.white).toBeCloseTo(0.5, 2);
    const france = painted(64, (x, y) => (y < 11 || y > 52 || (x > 22 && x < 41) || x < 4 || x > 59 ? white : red));
    expect(measure(france, "flag").shares.white).toBeCloseTo(18 / 56, 2);
  });

  it("does not fail on a blank image", () => {
    expect(measure(painted(64, () => white))).toMatchObject({
      colors: ["white"],
      shape: ["square", "slender", "symmetric"],
    });
  });
});
