/** A saliency map over the image that it is of, and its scale, as PNGs. */
import sharp, { type Sharp } from "sharp";
import type { RgbImage } from "../processor/resize";
import type { SaliencyMap } from "../train/saliency";

/** Matplotlib's viridis at equal steps: its lightness rises evenly, colour-blind readers see the same order. */
const VIRIDIS = [
  [68, 1, 84],
  [72, 40, 120],
  [62, 73, 137],
  [49, 104, 142],
  [38, 130, 142],
  [31, 158, 137],
  [53, 183, 121],
  [110, 206, 88],
  [181, 222, 43],
  [253, 231, 37],
] as const;

/** Share of the colour; the rest is the image in grey. */
const OPACITY = 0.6;

/** A share in [0, 1] in words: two digits. */
export const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;

/** RGB in [0, 255] of a share in [0, 1]; others are clipped. */
export function scaleColour(share: number): [number, number, number] {
  const at = Math.min(1, Math.max(0, share)) * (VIRIDIS.length - 1);
  const below = Math.min(Math.floor(at), VIRIDIS.length - 2);
  const mix = (c: 0 | 1 | 2): number =>
    Math.round(VIRIDIS[below][c] + (at - below) * (VIRIDIS[below + 1][c] - VIRIDIS[below][c]));
  return [mix(0), mix(1), mix(2)];
}

const png = (data: Uint8Array, width: number, height: number): Promise<Buffer> =>
  sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();

/** Width and height that fit into a square of `size`, the aspect ratio kept. */
function fitted({ width, height }: RgbImage, size: number): [number, number] {
  const scale = size / Math.max(width, height);
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

/** One channel of a raw image. */
const grey = async (image: Sharp): Promise<Buffer> => image.toColourspace("b-w").raw().toBuffer();

/**
 * The image in grey under the colours of the map, which is drawn smoothly between the middles of its places.
 * @param full value that has the last colour, over 0; larger ones have it too
 * @param size of the longer side, pixels
 * @returns a PNG of the image's shape
 */
export async function saliencyOverlay(
  { image, rows, columns, values }: SaliencyMap,
  full: number,
  size: number,
): Promise<Buffer> {
  const [width, height] = fitted(image, size);
  const shares = Uint8Array.from(values, (value) => Math.round(255 * Math.min(1, value / full)));
  const enlarges = size > Math.max(image.width, image.height);
  const [ground, map] = await Promise.all([
    grey(
      sharp(image.data, { raw: { width: image.width, height: image.height, channels: 3 } }).resize(width, height, {
        fit: "fill",
        kernel: enlarges ? "nearest" : "lanczos3",
      }),
    ),
    grey(
      sharp(shares, { raw: { width: columns, height: rows, channels: 1 } }).resize(width, height, {
        fit: "fill",
        kernel: "cubic",
      }),
    ),
  ]);
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++)
    scaleColour(map[i] / 255).forEach((value, c) => {
      data[3 * i + c] = Math.round(OPACITY * value + (1 - OPACITY) * ground[i]);
    });
  return png(data, width, height);
}

/**
 * The scale of `saliencyOverlay`, as its colours are on white, with `0` and the largest value beside it.
 * @param full share of the last colour, in (0, 1]
 * @param size height and width, pixels
 */
export async function saliencyScale(full: number, size: number): Promise<Buffer> {
  const [bar, left] = [Math.round(size / 8), Math.round(size / 8)];
  const stops = VIRIDIS.map((colour, i) => {
    const onWhite = colour.map((value) => Math.round(OPACITY * value + (1 - OPACITY) * 255));
    return `<stop offset="${i / (VIRIDIS.length - 1)}" stop-color="rgb(${onWhite.join(",")})"/>`;
  });
  const label = (y: number, text: string): string => `<text x="${left + bar + 6}" y="${y}">${text}</text>`;
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}">`,
    `<defs><linearGradient id="s" x1="0" y1="1" x2="0" y2="0">${stops.join("")}</linearGradient></defs>`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<rect x="${left}" y="0" width="${bar}" height="${size}" fill="url(#s)"/>`,
    `<g font-family="DejaVu Sans, Liberation Sans, Arial, sans-serif" font-size="11" fill="#222">`,
    label(11, percent(full)),
    label(size - 3, "0 %"),
    "</g></svg>",
  ];
  return sharp(Buffer.from(svg.join("")))
    .png()
    .toBuffer();
}

/** The image itself as a PNG. */
export const imagePng = ({ data, width, height }: RgbImage): Promise<Buffer> => png(data, width, height);
