/** Images as data URIs: how they travel in a request. */
import { readFileSync } from "node:fs";
import sharp from "sharp";

const TYPES: Readonly<Record<string, string>> = {
  jpeg: "image/jpeg",
  png: "image/png",
  webp: "image/webp",
  gif: "image/gif",
};

/**
 * A file as `data:image/…;base64,…`: its bytes as they are where the format is a common one, it stands upright and has at
 * most `maxPixels`; else turned upright, made smaller where needed and encoded as JPEG of quality 95.
 * @throws Error naming the file that is missing or no image
 */
export async function imageDataUri(file: string, maxPixels = Infinity): Promise<string> {
  try {
    const bytes = readFileSync(file);
    const { format, width, height, orientation = 1 } = await sharp(bytes).metadata();
    const pixels = width * height;
    if (TYPES[format] !== undefined && pixels <= maxPixels && orientation === 1) {
      await sharp(bytes, { failOn: "error" }).raw().toBuffer(); // the whole image decodes
      return `data:${TYPES[format]};base64,${bytes.toString("base64")}`;
    }
    const factor = Math.min(1, Math.sqrt(maxPixels / pixels));
    const upright = sharp(bytes, { failOn: "error" }).autoOrient().flatten({ background: "#ffffff" });
    const [w, h] = orientation >= 5 ? [height, width] : [width, height];
    const resized =
      factor < 1
        ? upright.resize(Math.max(1, Math.floor(w * factor)), Math.max(1, Math.floor(h * factor)), { fit: "fill" })
        : upright;
    return `data:image/jpeg;base64,${(await resized.jpeg({ quality: 95 }).toBuffer()).toString("base64")}`;
  } catch (error) {
    throw new Error(`${file}: can't be read as an image (${(error as Error).message.split("\n")[0]})`);
  }
}
