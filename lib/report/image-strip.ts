/** Several images in one PNG, with captions. */
import sharp from "sharp";
import { reasonOf, uprightImage } from "../processor/image-decode";
import { escapeHtml } from "../util/escape-html";
import { visibleText } from "../util/visible-text";

export interface ImageStripOptions {
  /** One per image, drawn below it. */
  captions?: string[];
  /** Height and width of each image's square in pixels, 128 unless given. */
  size?: number;
  /** Images in a row, 8 unless given. */
  columns?: number;
}

const GAP = 8;
const LINE = 14;

/** Breaks a caption into at most three lines of about `width` pixels (7 a character). */
export function wrapCaption(caption: string, width: number): string[] {
  const limit = Math.max(4, Math.floor(width / 6.2));
  const lines: string[] = [];
  for (const word of caption.split(/\s+/)) {
    const last = lines[lines.length - 1];
    if (last !== undefined && last.length + 1 + word.length <= limit) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  const shown = lines.slice(0, 3).map((line) => (line.length > limit ? `${line.slice(0, limit - 1)}…` : line));
  if (lines.length > 3) shown[2] = `${shown[2].slice(0, limit - 1)}…`;
  return shown;
}

/**
 * Lays images out in rows on white, each fitted into a square, captions below.
 *
 * @param images encoded images, or paths of image files
 * @returns a PNG
 * @throws when there is no image, or one cannot be read (the message names its path or position)
 */
export async function imageStrip(images: (Buffer | string)[], options: ImageStripOptions = {}): Promise<Buffer> {
  if (images.length === 0) throw new Error("imageStrip: no images");
  const { captions = [], size = 128, columns = 8 } = options;
  const perRow = Math.min(columns, images.length);
  const wrapped = images.map((_, i) => wrapCaption(visibleText(captions[i] ?? ""), size)); // XML has no control characters
  const captionHeight = captions.length > 0 ? Math.max(...wrapped.map((lines) => lines.length)) * LINE + 4 : 0;
  const [cellWidth, cellHeight] = [size + GAP, size + captionHeight + GAP];
  const width = perRow * cellWidth + GAP;
  const height = Math.ceil(images.length / perRow) * cellHeight + GAP;
  const place = (i: number): [number, number] => [
    GAP + (i % perRow) * cellWidth,
    GAP + Math.floor(i / perRow) * cellHeight,
  ];

  const tiles = await Promise.all(
    images.map(async (image, i) => {
      const [left, top] = place(i);
      try {
        // Upright, and small drawings enlarged in whole pixels: what the model sees is what is shown.
        const input = await (
          await uprightImage(image)
        )
          .resize(size, size, { fit: "contain", background: "white", kernel: "nearest" })
          .flatten({ background: "white" })
          .png()
          .toBuffer();
        return { input, left, top };
      } catch (error) {
        const name = typeof image === "string" ? image : `image ${i}`;
        throw new Error(`${name}: cannot be shown (${reasonOf(error)})`);
      }
    }),
  );
  const texts = wrapped.flatMap((lines, i) => {
    const [left, top] = place(i);
    return lines.map(
      (line, k) => `<text x="${left + size / 2}" y="${top + size + 2 + (k + 1) * LINE - 3}">${escapeHtml(line)}</text>`,
    );
  });
  const layer = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><g font-family="DejaVu Sans, Liberation Sans, Arial, sans-serif" font-size="11" fill="#222" text-anchor="middle">${texts.join("")}</g></svg>`;
  return sharp({ create: { width, height, channels: 3, background: "white" } })
    .composite([...tiles, ...(captions.length > 0 ? [{ input: Buffer.from(layer), left: 0, top: 0 }] : [])])
    .png()
    .toBuffer();
}

/** A PNG as an element of HTML. @param alt what it shows, for those who do not see it; plain text */
export function imageHtml(png: Buffer, alt: string): string {
  return `<img alt="${escapeHtml(alt)}" src="data:image/png;base64,${png.toString("base64")}">`;
}

/** Writes RGB pixels as a PNG file. @param image `data` holds height x width x 3 bytes */
export async function savePng(
  file: string,
  { data, width, height }: { data: Uint8Array; width: number; height: number },
): Promise<void> {
  await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(file);
}
