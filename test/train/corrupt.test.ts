import { describe, expect, it } from "vitest";
import { patchesToImage } from "../../lib/processor/patches-to-image";
import { corruptImages, corruptPatches, maskedPatches, type Corruption } from "../../lib/train/corrupt";
import { noiseScales } from "../../lib/train/noise-schedule";
import { random } from "../../lib/util/random";
import { toyPreprocessor as format } from "../helpers/tiny";

const [P, FRAMES, CHANNELS] = [format.patchSize ** 2, format.temporalPatchSize, 3];
const OF_PATCH = CHANNELS * FRAMES * P;
const normalised = (share: number, c: number): number => (share - format.imageMean[c]) / format.imageStd[c];

/** Patches of a still image whose pixels `pixel` gives, in [0, 1]. */
function still(count: number, pixel: (patch: number, c: number, i: number) => number): Float32Array {
  const values = new Float32Array(count * OF_PATCH);
  for (let patch = 0; patch < count; patch++)
    for (let c = 0; c < CHANNELS; c++)
      for (let i = 0; i < P; i++) {
        const value = normalised(pixel(patch, c, i), c);
        for (let frame = 0; frame < FRAMES; frame++) values[patch * OF_PATCH + (c * FRAMES + frame) * P + i] = value;
      }
  return values;
}
/** Pixels in [0, 1] of one frame of one channel of a patch. */
const pixels = (values: Float32Array, patch: number, c: number, frame = 0): number[] =>
  Array.from({ length: P }, (_, i) => {
    const value = values[patch * OF_PATCH + (c * FRAMES + frame) * P + i];
    return value * format.imageStd[c] + format.imageMean[c];
  });
const everyPixel = (values: Float32Array): number[] =>
  Array.from({ length: values.length / OF_PATCH }, (_, patch) =>
    [0, 1, 2].flatMap((c) => pixels(values, patch, c)),
  ).flat();
const meanOf = (all: readonly number[]): number => all.reduce((a, b) => a + b, 0) / all.length;
const stdOf = (all: readonly number[]): number => Math.sqrt(meanOf(all.map((x) => (x - meanOf(all)) ** 2)));

function expectEqualFrames(values: Float32Array): void {
  for (let patch = 0; patch < values.length / OF_PATCH; patch++)
    for (let c = 0; c < CHANNELS; c++) expect(pixels(values, patch, c, 1)).toEqual(pixels(values, patch, c, 0));
}

describe("noise", () => {
  const noise = (step: number, seed = 1): Corruption => ({ kind: "noise", step, seed });
  const grey = still(200, () => 0.5);

  it.each([0, 100, 250])(
    "at step %i has the standard deviation of that step, around what is left of the pixel",
    (step) => {
      const noisy = everyPixel(corruptPatches(grey, noise(step), format));
      const { signal, noise: std } = noiseScales(step);
      expect(noisy).toHaveLength(200 * 3 * P);
      expect(stdOf(noisy) / std).toBeCloseTo(1, 1.5); // 9,600 draws: to 0.7 % as a rule
      expect(Math.abs(meanOf(noisy) - 0.5 * signal)).toBeLessThan((4 * std) / Math.sqrt(noisy.length));
    },
  );

  it("is clipped to black and white, as the release's is", () => {
    const noisy = everyPixel(corruptPatches(grey, noise(999), format));
    expect(Math.min(...noisy)).toBeCloseTo(0, 6);
    expect(Math.max(...noisy)).toBeCloseTo(1, 6);
    const share = (limit: number): number => noisy.filter((x) => Math.abs(x - limit) < 1e-6).length / noisy.length;
    // pixel 0.1425, standard deviation 0.9585: under 0 with probability 0.441, over 1 with 0.185
    expect(share(0)).toBeCloseTo(0.441, 1.5);
    expect(share(1)).toBeCloseTo(0.185, 1.5);
  });

  it("is the same in both frames, for the same seed, and differs by pixel, channel and seed", () => {
    const values = still(4, (patch, c, i) => ((patch + 1) * (c + 2) * (i + 3) * 0.137) % 1);
    const before = values.slice();
    const noisy = corruptPatches(values, noise(400), format);
    expect(values).toEqual(before);
    expectEqualFrames(noisy);
    expect(corruptPatches(values, noise(400), format)).toEqual(noisy);
    expect(corruptPatches(values, noise(400, 2), format)).not.toEqual(noisy);
    const drawn = everyPixel(corruptPatches(grey, noise(100), format)).slice(0, 100);
    expect(new Set(drawn).size).toBe(100);
  });
});

describe("a mask", () => {
  const mask = (ratio: number, seed = 1): Corruption => ({ kind: "mask", ratio, seed });

  it("covers exactly 60 % of the patches, to the nearest whole one, and any of them", () => {
    for (const [count, masked] of [
      [100, 60],
      [64, 38], // 38.4
      [16, 10], // 9.6
      [1, 1],
    ])
      expect(new Set(maskedPatches(count, 0.6, 7)).size).toBe(masked);
    const times = new Array<number>(16).fill(0);
    for (let seed = 0; seed < 2000; seed++) for (const patch of maskedPatches(16, 0.6, seed)) times[patch]++;
    for (const n of times) expect(n / 2000).toBeCloseTo(10 / 16, 1); // within 0.05
  });

  it("makes whole patches black in both frames and leaves the others as they are", () => {
    const values = still(16, (patch, c, i) => 0.2 + ((patch + c + i) % 8) / 10);
    const masked = corruptPatches(values, mask(0.6), format);
    const covered = new Set(maskedPatches(16, 0.6, 1));
    expectEqualFrames(masked);
    const { data, width } = patchesToImage(format, masked, [1, 4, 4]);
    const dark = Array.from({ length: 16 * 16 }, (_, at) => data.slice(3 * at, 3 * at + 3).every((byte) => byte === 0));
    expect(dark.filter(Boolean)).toHaveLength(10 * P);
    for (let row = 0; row < 4; row++)
      for (let column = 0; column < 4; column++) {
        // a black patch is a square of the image
        const square = Array.from(
          { length: P },
          (_, i) => dark[(row * 4 + Math.floor(i / 4)) * width + column * 4 + (i % 4)],
        );
        expect(new Set(square).size).toBe(1);
      }
    for (let patch = 0; patch < 16; patch++) {
      const at = (of: Float32Array): Float32Array => of.slice(patch * OF_PATCH, (patch + 1) * OF_PATCH);
      if (!covered.has(patch)) expect(at(masked)).toEqual(at(values));
    }
  });

  it("is the same for the same seed, another for another; 0 covers nothing, 1 all", () => {
    const values = still(16, () => 0.5);
    expect(corruptPatches(values, mask(0.6), format)).toEqual(corruptPatches(values, mask(0.6), format));
    expect(corruptPatches(values, mask(0.6, 2), format)).not.toEqual(corruptPatches(values, mask(0.6), format));
    expect(corruptPatches(values, mask(0), format)).toEqual(values);
    expect(Math.max(...everyPixel(corruptPatches(values, mask(1), format)))).toBeCloseTo(0, 6);
  });
});

describe("corruptImages", () => {
  const draw = random(3);
  const values = Float32Array.from({ length: 9 * OF_PATCH }, () => draw.normal() / 4);

  it("changes each image alone, by its own corruption, whatever its size and neighbours", () => {
    const corruptions: (Corruption | null)[] = [
      { kind: "mask", ratio: 0.5, seed: 4 },
      null,
      { kind: "noise", step: 300, seed: 5 },
    ];
    const changed = corruptImages(values, [4, 2, 3], corruptions, format);
    const part = (of: Float32Array, from: number, to: number): Float32Array => of.slice(from * OF_PATCH, to * OF_PATCH);
    expect(part(changed, 0, 4)).toEqual(corruptPatches(part(values, 0, 4), corruptions[0]!, format));
    expect(part(changed, 4, 6)).toEqual(part(values, 4, 6));
    expect(part(changed, 6, 9)).toEqual(corruptPatches(part(values, 6, 9), corruptions[2]!, format));
    expect(part(changed, 0, 4)).not.toEqual(part(values, 0, 4));
  });

  it("refuses what does not fit", () => {
    expect(() => corruptImages(values, [4, 5], [null], format)).toThrow("1 corruptions for 2 images");
    expect(() => corruptPatches(values.slice(1), { kind: "mask", ratio: 1, seed: 1 }, format)).toThrow(
      `${values.length - 1} values are no whole patches of ${OF_PATCH}`,
    );
  });
});
