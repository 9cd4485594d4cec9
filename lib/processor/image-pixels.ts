/** Decoded pixels, and what becomes of their transparency. */
import type { RgbImage } from "./resize";

/** Most pixels of an image, counted before one is decoded. As Pillow: more is taken for a decompression bomb. */
export const MOST_PIXELS = 178_956_970;

/** Pixels as they come from a file, 8 bits each, upright. */
export interface Pixels {
  width: number;
  height: number;
  /** 3, or 4 with alpha. */
  channels: number;
  /** [height, width, channels]. */
  data: Uint8Array;
}

/**
 * Transparency: `drop` keeps the colour under it (Hugging Face's `load_image`, and the release's RL code), `white` puts
 * the image on white (`qwen_vl_utils`, so the release's evaluation, and vLLM).
 */
export type AlphaMode = "drop" | "white";

/**
 * Pillow's `alpha_composite` of one channel on white, 7 bits of precision; `paste` with the alpha as a mask gives the
 * same.
 */
function onWhite(value: number, alpha: number): number {
  if (alpha === 0) return 255;
  const coefficient = alpha * 128;
  const sum = value * coefficient + 255 * (255 * 128 - coefficient) + (0x80 << 7);
  return (((sum >>> 8) + sum) >>> 8) >>> 7;
}

/** The pixels without alpha. */
export function toRgb({ width, height, channels, data }: Pixels, alpha: AlphaMode): RgbImage {
  if (channels === 3) return { width, height, data };
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0, j = 0; i < data.length; i += 4, j += 3) {
    for (let c = 0; c < 3; c++) rgb[j + c] = alpha === "white" ? onWhite(data[i + c], data[i + 3]) : data[i + c];
  }
  return { width, height, data: rgb };
}
