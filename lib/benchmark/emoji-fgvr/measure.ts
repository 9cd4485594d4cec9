/**
 * What can be measured on a drawing without knowing what it shows: colour words and shape words. The offline teacher
 * of the chain-of-thought data sees images through these functions only.
 */
import type { RgbImage } from "./types";

/** The thirteen colour words and the RGB each stands for. */
export const COLORS: Readonly<Record<string, readonly [number, number, number]>> = {
  red: [215, 40, 40],
  orange: [245, 140, 35],
  yellow: [250, 210, 60],
  green: [75, 160, 70],
  blue: [50, 110, 200],
  cyan: [120, 205, 235],
  purple: [130, 80, 180],
  pink: [245, 150, 180],
  brown: [130, 85, 55],
  black: [35, 35, 35],
  white: [245, 245, 245],
  gray: [150, 150, 150],
  tan: [225, 185, 140],
};

/** Second colours of two words: navy and bottle green would otherwise count as black. */
const DARK: readonly (readonly [string, readonly [number, number, number]])[] = [
  ["blue", [10, 45, 105]],
  ["green", [10, 75, 40]],
];

/** The colour words, in a fixed order. */
export const COLOR_WORDS: readonly string[] = Object.keys(COLORS);

const PROTOTYPES = [...Object.entries(COLORS), ...DARK];

/** The shape words: proportions, filling, mirror symmetry. */
export const SHAPE_WORDS: readonly string[] = [
  "wide", "tall", "square", "solid", "medium", "slender", "symmetric", "asymmetric",
]; // prettier-ignore

const NEAR_WHITE = 244; // every channel at least this
const LUMA = [0.3, 0.59, 0.11]; // weights of a colour difference
const MIN_SHARE = 0.1; // of the foreground, for a colour to be named
const MAX_COLORS = 3;

/** Measured on the pixels of one image. */
export interface Measurement {
  /** 1-3 colour words, largest share first, each above a tenth of the foreground (the first always named) */
  readonly colors: readonly string[];
  /** share of each colour word in the foreground; sums to 1 */
  readonly shares: Readonly<Record<string, number>>;
  /** three shape words: wide|tall|square, solid|medium|slender, symmetric|asymmetric */
  readonly shape: readonly string[];
}

/** How the foreground is found: `flag` for images whose question is about flags. */
export type Subject = "object" | "flag";

/** Everything but the near-white region connected to the image's border: white parts inside a drawing stay. */
function withoutPaper(image: RgbImage): Uint8Array {
  const { data, width, height } = image;
  const mask = new Uint8Array(width * height).fill(1);
  const stack: number[] = [];
  const visit = (x: number, y: number): void => {
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    const p = y * width + x;
    if (!mask[p]) return;
    if (data[p * 3] < NEAR_WHITE || data[p * 3 + 1] < NEAR_WHITE || data[p * 3 + 2] < NEAR_WHITE) return;
    mask[p] = 0;
    stack.push(p);
  };
  for (let x = 0; x < width; x++) {
    visit(x, 0);
    visit(x, height - 1);
  }
  for (let y = 0; y < height; y++) {
    visit(0, y);
    visit(width - 1, y);
  }
  for (let p = stack.pop(); p !== undefined; p = stack.pop()) {
    const x = p % width;
    const y = (p - x) / width;
    visit(x - 1, y);
    visit(x + 1, y);
    visit(x, y - 1);
    visit(x, y + 1);
  }
  return mask;
}

/** Smallest box around the mask: left, top, right, bottom (inclusive); right is -1 for an empty mask. */
function boundingBox(mask: Uint8Array, width: number): [number, number, number, number] {
  let [left, top, right, bottom] = [Infinity, Infinity, -1, -1];
  mask.forEach((on, p) => {
    if (!on) return;
    const x = p % width;
    const y = (p - x) / width;
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  });
  return [left, top, right, bottom];
}

/** Fills, in every row and column, what lies between the mask's first and last pixel. */
function fillBetween(mask: Uint8Array, width: number, height: number): Uint8Array {
  const filled = mask.slice();
  const fill = (start: number, step: number, length: number): void => {
    let [first, last] = [-1, -1];
    for (let i = 0; i < length; i++) if (mask[start + i * step]) [first, last] = [first < 0 ? i : first, i];
    for (let i = Math.max(first, 0); i <= last; i++) filled[start + i * step] = 1;
  };
  for (let y = 0; y < height; y++) fill(y * width, 1, width);
  for (let x = 0; x < width; x++) fill(x, width, height);
  return filled;
}

/**
 * A flag's white fields touch its edge and so join the paper. They come back by what is known of every drawing: it is
 * centred, so the mask turned by 180 degrees belongs to it; a flag has no holes; and a drawing reaches its frame (7/8
 * of the image) on one axis, so that a smaller mask (the disc of Japan) stands in a white cloth of 4:3.
 */
function flagCloth(mask: Uint8Array, width: number, height: number): Uint8Array {
  const turned = mask.map((on, p) => on | mask[mask.length - 1 - p]);
  const [left, top, right, bottom] = boundingBox(turned, width);
  const frame = (7 / 8) * width;
  if (right >= 0 && Math.max(right - left, bottom - top) + 1 < frame - 4) {
    const [marginX, marginY] = [(width - frame) / 2, (height - frame * 0.75) / 2];
    for (let y = marginY; y < height - marginY; y++) turned.fill(1, y * width + marginX, (y + 1) * width - marginX);
  }
  return fillBetween(turned, width, height);
}

/** Foreground mask of an image, one byte a pixel. */
export function foreground(image: RgbImage, subject: Subject = "object"): Uint8Array {
  const mask = withoutPaper(image);
  return subject === "flag" ? flagCloth(mask, image.width, image.height) : mask;
}

function nearestColor(r: number, g: number, b: number): string {
  let best = COLOR_WORDS[0];
  let least = Infinity;
  for (const [word, [cr, cg, cb]] of PROTOTYPES) {
    const d = LUMA[0] * (r - cr) ** 2 + LUMA[1] * (g - cg) ** 2 + LUMA[2] * (b - cb) ** 2;
    if (d < least) [best, least] = [word, d];
  }
  return best;
}

function colorShares(image: RgbImage, mask: Uint8Array): Record<string, number> {
  const shares = Object.fromEntries(COLOR_WORDS.map((word) => [word, 0]));
  let total = 0;
  for (let p = 0; p < mask.length; p++) {
    if (!mask[p]) continue;
    shares[nearestColor(image.data[p * 3], image.data[p * 3 + 1], image.data[p * 3 + 2])]++;
    total++;
  }
  for (const word of COLOR_WORDS) shares[word] /= Math.max(1, total);
  return shares;
}

/** Shape words of a foreground: proportions of its box, how much of the box it fills, mirror symmetry of its pixels. */
function shapeWords(image: RgbImage, mask: Uint8Array): string[] {
  const { data, width } = image;
  const [left, top, right, bottom] = boundingBox(mask, width);
  const area = mask.reduce((sum, on) => sum + on, 0);
  const [w, h] = [right - left + 1, bottom - top + 1];
  const ratio = w / h;
  const filled = area / Math.max(w, h) ** 2;
  let [difference, compared] = [0, 0];
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const p = y * width + x;
      const q = y * width + (left + right - x);
      if (!mask[p] && !mask[q]) continue;
      for (let c = 0; c < 3; c++) {
        difference += Math.abs((mask[p] ? data[p * 3 + c] : 0) - (mask[q] ? data[q * 3 + c] : 0)) / 3;
      }
      compared++;
    }
  }
  return [
    ratio > 1.25 ? "wide" : ratio < 0.8 ? "tall" : "square",
    filled > 0.72 ? "solid" : filled < 0.42 ? "slender" : "medium",
    difference / Math.max(1, compared) < 22 ? "symmetric" : "asymmetric",
  ];
}

/** Measures an image; a blank one (no foreground) counts as white, square, slender and symmetric. */
export function measure(image: RgbImage, subject: Subject = "object"): Measurement {
  const mask = foreground(image, subject);
  if (!mask.includes(1)) {
    const shares = Object.fromEntries(COLOR_WORDS.map((word) => [word, word === "white" ? 1 : 0]));
    return { colors: ["white"], shares, shape: ["square", "slender", "symmetric"] };
  }
  const shares = colorShares(image, mask);
  const ranked = COLOR_WORDS.slice().sort((a, b) => shares[b] - shares[a]);
  const colors = ranked.slice(0, MAX_COLORS).filter((word, i) => i === 0 || shares[word] > MIN_SHARE);
  return { colors, shares, shape: shapeWords(image, mask) };
}
