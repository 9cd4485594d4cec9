/** Images as data URIs: how they travel in a request. */
import { readRegular } from "../util/regular-file";
import { readImageHeader, uprightImage } from "./image-decode";

const TYPES: Readonly<Record<string, string>> = {
  jpeg: "image/jpeg",
  png: "image/png",
  webp: "image/webp",
  gif: "image/gif",
};

/** The bytes as a data URI. */
const uriOf = (type: string, bytes: Buffer): string => `data:${type};base64,${bytes.toString("base64")}`;

/**
 * A file as `data:image/…;base64,…`: its bytes as they are where the format is a common one and every server sees the
 * picture that the model here does. One that lies is turned upright, one with more than `maxPixels` made smaller, a
 * transparent one put on white, and CMYK, 16-bit grey and other formats become RGB. What is encoded anew is JPEG of
 * quality 95, or PNG where only transparency was the reason: such pictures are drawings mostly.
 * @throws Error naming the file that is missing or no image
 */
export async function imageDataUri(file: string, maxPixels = Infinity): Promise<string> {
  const { width, height, turned, format, hasAlpha, special } = await readImageHeader(file);
  const pixels = width * height;
  const common = format in TYPES && pixels <= maxPixels && !turned && !special;
  const upright = await uprightImage(file); // the whole image decodes
  if (common && !hasAlpha) return uriOf(TYPES[format], readRegular(file));
  const opaque = upright.flatten({ background: "#ffffff" });
  if (common) return uriOf("image/png", await opaque.png().toBuffer());
  const factor = Math.min(1, Math.sqrt(maxPixels / pixels));
  const side = (length: number): number => Math.max(1, Math.floor(length * factor));
  const resized = factor < 1 ? opaque.resize(side(width), side(height), { fit: "fill" }) : opaque;
  return uriOf("image/jpeg", await resized.jpeg({ quality: 95 }).toBuffer());
}
