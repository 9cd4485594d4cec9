/** Pictures whose corners say which way up they are. */
import sharp, { type Sharp } from "sharp";

/** Red, green, blue and white: top left, top right, bottom left, bottom right. */
const CORNERS: readonly [number, number, number][] = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
  [255, 255, 255],
];

/** A picture of four quadrants, upright. */
export function quadrants(width: number, height: number): Sharp {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      data.set(CORNERS[(2 * y >= height ? 2 : 0) + (2 * x >= width ? 1 : 0)], 3 * (y * width + x));
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/** The same as a JPEG that lies on its side (turned left by 90 degrees) and says so: EXIF orientation 6. */
export const lyingQuadrants = async (width: number, height: number): Promise<Buffer> =>
  sharp(await quadrants(width, height).png().toBuffer())
    .rotate(270)
    .withMetadata({ orientation: 6 })
    .jpeg({ quality: 100, chromaSubsampling: "4:4:4" })
    .toBuffer();

/**
 * The letters of the corners' colours in RGB pixels: `rgbw` where it stands upright.
 * @param inset pixels from the edges
 */
export function cornersOf(
  { width, height, data }: { width: number; height: number; data: Uint8Array },
  inset = 2,
): string {
  const places = [inset, height - 1 - inset].flatMap((y) => [inset, width - 1 - inset].map((x) => 3 * (y * width + x)));
  return places
    .map((at) => {
      const near = CORNERS.findIndex((corner) => corner.every((value, c) => Math.abs(value - data[at + c]) < 60));
      return near < 0 ? "?" : "rgbw"[near];
    })
    .join("");
}
