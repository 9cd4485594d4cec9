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

/** For each output sample the first input sample, how many there are, and where their weights begin in `weights`. */
interface Taps {
  starts: Int32Array;
  counts: Int32Array;
  offsets: Int32Array;
  /** Fixed-point, PRECISION_BITS fractional bits. */
  weights: Int32Array;
}

function tapsOf(inSize: number, outSize: number): Taps {
  const scale = inSize / outSize;
  const filterScale = Math.max(scale, 1);
  const support = 2 * filterScale;
  const [starts, counts, offsets] = [new Int32Array(outSize), new Int32Array(outSize), new Int32Array(outSize)];
  const all: number[] = [];
  for (let i = 0; i < outSize; i++) {
    const center = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(inSize, Math.trunc(center + support + 0.5));
    const weights = Array.from({ length: end - start }, (_, j) =>
      bicubic((j + start - center + 0.5) * (1 / filterScale)),
    );
    const total = weights.reduce((sum, w) => sum + w, 0);
    [starts[i], counts[i], offsets[i]] = [start, end - start, all.length];
    for (const w of weights) {
      const scaled = (total === 0 ? w : w / total) * (1 << PRECISION_BITS);
      all.push(Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
    }
  }
  return { starts, counts, offsets, weights: Int32Array.from(all) };
}

/** Half of a unit, so that the shift rounds. */
const HALF = 1 << (PRECISION_BITS - 1);

/** Sums are below 2^31: weights add up to 2^PRECISION_BITS, their negative lobes to less than a third of that. */
function clip8(sum: number): number {
  const value = sum >> PRECISION_BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

function horizontal({ data, width: inWidth, height }: RgbImage, width: number): RgbImage {
  if (width === inWidth) return { data, width, height };
  const out = new Uint8Array(height * width * CHANNELS);
  const { starts, counts, offsets, weights } = tapsOf(inWidth, width);
  let to = 0;
  for (let line = 0; line < height; line++) {
    for (let i = 0; i < width; i++, to += CHANNELS) {
      let [red, green, blue] = [HALF, HALF, HALF];
      let from = (line * inWidth + starts[i]) * CHANNELS;
      for (let j = offsets[i], end = offsets[i] + counts[i]; j < end; j++, from += CHANNELS) {
        const w = weights[j];
        red = (red + Math.imul(data[from], w)) | 0;
        green = (green + Math.imul(data[from + 1], w)) | 0;
        blue = (blue + Math.imul(data[from + 2], w)) | 0;
      }
      out[to] = clip8(red);
      out[to + 1] = clip8(green);
      out[to + 2] = clip8(blue);
    }
  }
  return { width, height, data: out };
}

/** Row by row, so that memory is read in order. */
function vertical({ data, width, height: inHeight }: RgbImage, height: number): RgbImage {
  if (height === inHeight) return { data, width, height };
  const row = width * CHANNELS;
  const out = new Uint8Array(height * row);
  const sums = new Int32Array(row);
  const { starts, counts, offsets, weights } = tapsOf(inHeight, height);
  for (let i = 0; i < height; i++) {
    sums.fill(HALF);
    for (let j = 0; j < counts[i]; j++) {
      const w = weights[offsets[i] + j];
      const from = (starts[i] + j) * row;
      for (let x = 0; x < row; x++) sums[x] = (sums[x] + Math.imul(data[from + x], w)) | 0;
    }
    for (let x = 0, to = i * row; x < row; x++) out[to + x] = clip8(sums[x]);
  }
  return { width, height, data: out };
}

/**
 * `image` at another size, equal to Pillow's `resize(..., BICUBIC)` to the bit; an axis whose size stays is left alone.
 * @param order `pillow13` runs the vertical pass first where the height loses more than twice as many pixels as the
 *   width, as Pillow 13 does; `horizontal` always starts with the horizontal pass, as Pillow did before. Only the
 *   rounding between the passes differs: by some 8-bit steps.
 */
export function resizeBicubic(
  image: RgbImage,
  width: number,
  height: number,
  order: "pillow13" | "horizontal" = "pillow13",
): RgbImage {
  const fewerRows = image.height - height;
  const verticalFirst = order === "pillow13" && fewerRows > 0 && fewerRows > 2 * (image.width - width);
  return verticalFirst ? horizontal(vertical(image, height), width) : vertical(horizontal(image, width), height);
}
