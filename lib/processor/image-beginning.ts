/**
 * Which format an image is of, by its first bytes. No decoder is shown what begins otherwise: a drawing (SVG) of a few
 * kilobytes may take for ever, under any name, and Pillow, which the reference reads images with, has none either.
 */

/** Formats that are read, as sharp calls them, and how their files begin. */
const BEGINNINGS = {
  jpeg: /^\xff\xd8\xff/,
  png: /^\x89PNG/,
  webp: /^RIFF[^]{4}WEBP/,
  gif: /^GIF8/,
  bmp: /^BM/,
  tiff: /^(?:II[*+]\0|MM\0[*+])/,
  heif: /^[^]{4}ftyp/, // AVIF
} as const;

/** A format of images. */
export type ImageFormat = keyof typeof BEGINNINGS;

/** Bytes that the format is seen by. */
export const BEGINNING_BYTES = 12;

/** The format of an image by its first bytes; null where it is none that is read. */
export function imageFormat(bytes: Uint8Array): ImageFormat | null {
  const beginning = Buffer.from(bytes.subarray(0, BEGINNING_BYTES)).toString("latin1");
  return (Object.keys(BEGINNINGS) as ImageFormat[]).find((format) => BEGINNINGS[format].test(beginning)) ?? null;
}
