/**
 * Bicubic resampling as Pillow does it on 8-bit images (libImaging/Resample.c): separable, antialiased when shrinking,
 * two passes with fixed-point coefficients, each rounded to 8 bits.
 */

/** An 8-bit RGB image, rows from the top, 3 bytes a pixel. */
export interface RgbImage {
  width: number;
  height: number;
  data: Uint8Array;
}

const PRECISION_BITS = 32 - 8 - 2;
const CHANNELS = 3;

/** Keys' cubic convolution kernel with a = -0.5. */
function bicubic(x: number): number {
  const a = -0.5;
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return (((d - 5) * d + 8) * d - 4) * a;
  return 0;
}

interface Taps {
  start: number;
  /** Fixed-point weights with PRECISION_BITS fractional bits. */
  weights: Int32Array;
}

function tapsOf(inSize: number, outSize: number): Taps[] {
  const scale = inSize / outSize;
  const filterScale = Math.max(scale, 1);
  const support = 2 * filterScale;
  return Array.from({ length: outSize }, (_, i) => {
    const center = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(inSize, Math.trunc(center + support + 0.5));
    const weights = Array.from({ length: end - start }, (_unused, j) => bicubic((j + start - center + 0.5) * (1 / filterScale)));
    const total = weights.reduce((a, b) => a + b, 0);
    const fixed = weights.map((w) => {
      const scaled = (total === 0 ? w : w / total) * (1 << PRECISION_BITS);
      return Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    });
    return { start, weights: Int32Array.from(fixed) };
  });
}

const clip8 = (sum: number): number => Math.min(255, Math.max(0, sum >> PRECISION_BITS));

/** Resamples lines: `lines` of them, `lineStride` apart, their samples `step` apart. */
function resample(data: Uint8Array, out: Uint8Array, taps: Taps[], lines: number, inStride: number, inStep: number, outStride: number, outStep: number): void {
  for (let line = 0; line < lines; line++) {
    for (let i = 0; i < taps.length; i++) {
      const { start, weights } = taps[i];
      for (let c = 0; c < CHANNELS; c++) {
        let sum = 1 << (PRECISION_BITS - 1);
        let source = line * inStride + start * inStep + c;
        for (let j = 0; j < weights.length; j++, source += inStep) sum += data[source] * weights[j];
        out[line * outStride + i * outStep + c] = clip8(sum);
      }
    }
  }
}

function horizontal(image: RgbImage, width: number): RgbImage {
  if (width === image.width) return image;
  const data = new Uint8Array(image.height * width * CHANNELS);
  resample(image.data, data, tapsOf(image.width, width), image.height, image.width * CHANNELS, CHANNELS, width * CHANNELS, CHANNELS);
  return { width, height: image.height, data };
}

function vertical(image: RgbImage, height: number): RgbImage {
  if (height === image.height) return image;
  const row = image.width * CHANNELS;
  const data = new Uint8Array(height * row);
  resample(image.data, data, tapsOf(image.height, height), image.width, CHANNELS, row, CHANNELS, row);
  return { width: image.width, height, data };
}

/**
 * `image` at another size, equal to Pillow's `resize(..., BICUBIC)` to the bit; an axis whose size stays is left alone.
 * @param order `pillow13` runs the vertical pass first where the height loses more than twice as many pixels as the
 *   width, as Pillow 13 does; `horizontal` always starts with the horizontal pass, as Pillow did before. Only the
 *   rounding between the passes differs: by some 8-bit steps.
 */
export function resizeBicubic(image: RgbImage, width: number, height: number, order: "pillow13" | "horizontal" = "pillow13"): RgbImage {
  const fewerRows = image.height - height;
  const verticalFirst = order === "pillow13" && fewerRows > 0 && fewerRows > 2 * (image.width - width);
  return verticalFirst ? horizontal(vertical(image, height), width) : vertical(horizontal(image, width), height);
}
