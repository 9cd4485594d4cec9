/**
 * Rasterises an icon as the benchmark shows it: drawn 128 pixels wide, cropped to what is drawn, padded to a square,
 * shrunk to 56 x 56 and centred in 64 x 64 on white.
 */
import sharp, { type Region } from "sharp";
import { iconSet, iconSvg, packageVersion } from "./packages";
import type { RgbImage } from "./types";

/** Edge of a drawing in pixels. */
export const IMAGE_SIZE = 64;
const CONTENT_SIZE = 56;
const DRAWN_WIDTH = 128;
const VISIBLE_ALPHA = 16; // of 255

/** Changes whenever the same icon may come out with other pixels. */
export function rendererVersion(): string {
  return `1 sharp ${packageVersion("sharp")} librsvg ${sharp.versions.rsvg ?? "unknown"}`;
}

/** Bounding box of the pixels above the visible alpha, or null for an empty drawing. `data` is RGBA. */
function contentBox(data: Buffer, width: number, height: number): Region | null {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[(y * width + x) * 4 + 3] <= VISIBLE_ALPHA) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    }
  }
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** Draws icon `name` of the set `@iconify-json/<prefix>`; throws when the set lacks it or it draws nothing. */
export async function rasterise(prefix: string, name: string): Promise<RgbImage> {
  const svg = Buffer.from(iconSvg(iconSet(prefix), name, DRAWN_WIDTH));
  const drawn = await sharp(svg).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  const box = contentBox(drawn.data, drawn.info.width, drawn.info.height);
  if (!box) throw new Error(`icon "${prefix}:${name}" draws nothing`);
  const margin = (IMAGE_SIZE - CONTENT_SIZE) / 2;
  const clear = { r: 255, g: 255, b: 255, alpha: 0 };
  const { data, info } = await sharp(drawn.data, {
    raw: { width: drawn.info.width, height: drawn.info.height, channels: 4 },
  })
    .extract(box)
    .resize(CONTENT_SIZE, CONTENT_SIZE, { fit: "contain", background: clear })
    .extend({ top: margin, bottom: margin, left: margin, right: margin, background: clear })
    .flatten({ background: "#ffffff" })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data: new Uint8Array(data), width: info.width, height: info.height };
}

/** The PNG file of an image (RGB, 8 bit). */
export async function encodePng(image: RgbImage): Promise<Buffer> {
  const raw = { width: image.width, height: image.height, channels: 3 as const };
  return sharp(image.data, { raw }).png({ compressionLevel: 9 }).toBuffer();
}
