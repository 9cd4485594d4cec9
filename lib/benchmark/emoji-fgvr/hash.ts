/**
 * Near-duplicate drawings: a 64-bit perceptual hash of the brightness (pHash: the signs of the lowest 8 x 8 cosine
 * coefficients of a 32 x 32 image against their median), and a colour distance because the hash is blind to colour.
 */
import type { RgbImage } from "./types";

const SIDE = 32;
const KEPT = 8;
const ROUNDING = 1e-6; // coefficients that are equal but for rounding (mirror-symmetric drawings) count as equal

/** cosine[k][x] of a 32-point DCT-II */
const COSINE = Array.from({ length: KEPT }, (_, k) =>
  Float64Array.from({ length: SIDE }, (_unused, x) => Math.cos(((2 * x + 1) * k * Math.PI) / (2 * SIDE))),
);

/** Mean brightness (0-255) of the image in `side` x `side` equal cells; width and height are multiples of `side`. */
function shrink(image: RgbImage, side: number, channel: (p: number) => number): Float64Array {
  const [sx, sy] = [image.width / side, image.height / side];
  if (!Number.isInteger(sx) || !Number.isInteger(sy))
    throw new Error(`hash: image is ${image.width}x${image.height}, expected multiples of ${side}`);
  const out = new Float64Array(side * side);
  for (let y = 0; y < image.height; y++)
    for (let x = 0; x < image.width; x++)
      out[Math.floor(y / sy) * side + Math.floor(x / sx)] += channel((y * image.width + x) * 3) / (sx * sy);
  return out;
}

/** The hash as eight bytes. */
export function perceptualHash(image: RgbImage): Uint8Array {
  const d = image.data;
  const gray = shrink(image, SIDE, (p) => 0.299 * d[p] + 0.587 * d[p + 1] + 0.114 * d[p + 2]);
  const rows = new Float64Array(KEPT * SIDE); // [u, y]: each row transformed
  for (let u = 0; u < KEPT; u++)
    for (let y = 0; y < SIDE; y++)
      for (let x = 0; x < SIDE; x++) rows[u * SIDE + y] += gray[y * SIDE + x] * COSINE[u][x];
  const coefficients: number[] = [];
  for (let v = 0; v < KEPT; v++)
    for (let u = 0; u < KEPT; u++) {
      let sum = 0;
      for (let y = 0; y < SIDE; y++) sum += rows[u * SIDE + y] * COSINE[v][y];
      coefficients.push(sum);
    }
  const sorted = coefficients.slice(1).sort((a, b) => a - b); // without the mean brightness
  const median = sorted[Math.floor(sorted.length / 2)];
  const hash = new Uint8Array(8);
  coefficients.forEach((c, i) => (hash[i >> 3] |= c > median + ROUNDING ? 1 << (i & 7) : 0));
  return hash;
}

/** Number of differing bits, 0-64. */
export function hammingDistance(a: Uint8Array, b: Uint8Array): number {
  let distance = 0;
  for (let i = 0; i < a.length; i++) for (let bits = a[i] ^ b[i]; bits; bits &= bits - 1) distance++;
  return distance;
}

/** Mean absolute difference of two images' colours in 8 x 8 cells, 0-255. */
export function colorDistance(a: RgbImage, b: RgbImage): number {
  let sum = 0;
  for (let c = 0; c < 3; c++) {
    const [x, y] = [shrink(a, 8, (p) => a.data[p + c]), shrink(b, 8, (p) => b.data[p + c])];
    for (let i = 0; i < x.length; i++) sum += Math.abs(x[i] - y[i]) / (3 * x.length);
  }
  return sum;
}

/** Two drawings with at most this many differing bits ... */
export const NEAR_DUPLICATE_BITS = 8;
/** ... and at most this colour distance are near-duplicates. */
export const NEAR_DUPLICATE_COLOR = 11;

/** An image with its hash, so that many comparisons hash once. */
export interface HashedImage {
  readonly image: RgbImage;
  readonly hash: Uint8Array;
}

/** Whether two drawings are the same but for details (thresholds above). */
export function nearDuplicate(a: HashedImage, b: HashedImage): boolean {
  return (
    hammingDistance(a.hash, b.hash) <= NEAR_DUPLICATE_BITS && colorDistance(a.image, b.image) <= NEAR_DUPLICATE_COLOR
  );
}
