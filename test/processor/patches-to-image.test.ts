import { describe, expect, it } from "vitest";
import { patchesToImage } from "../../lib/processor/patches-to-image";
import { processImage } from "../../lib/processor/image-processor";
import { random } from "../../lib/util/random";
import { toyPreprocessor } from "../helpers/tiny";

describe("patchesToImage", () => {
  it("gives back the pixels that became patches, of any shape", () => {
    for (const [width, height] of [
      [16, 16],
      [40, 16],
      [8, 24],
    ]) {
      const draw = random(width);
      const image = { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => draw.integer(256)) };
      const { pixelValues, grid } = processImage(toyPreprocessor, image);
      expect(patchesToImage(toyPreprocessor, pixelValues, grid)).toEqual(image);
    }
  });

  it("clips what lies outside the range of pixels", () => {
    const { pixelValues, grid } = processImage(toyPreprocessor, { width: 8, height: 8, data: new Uint8Array(192) });
    const { data } = patchesToImage(
      toyPreprocessor,
      pixelValues.map((_, i) => (i % 2 === 0 ? -100 : 100)),
      grid,
    );
    expect(new Set(data)).toEqual(new Set([0, 255]));
  });

  it("says what does not fit", () => {
    expect(() => patchesToImage(toyPreprocessor, [], [2, 2, 2])).toThrow("a grid of 2 frames; a still image has 1");
    expect(() => patchesToImage(toyPreprocessor, [1, 2], [1, 2, 2])).toThrow("2 values; a grid of 1 x 2 x 2 has 384");
  });
});
