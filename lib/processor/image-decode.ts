/**
 * Image files to pixels, by sharp where libvips decodes as Pillow does and by this project's code where it does not.
 * Everything that reads an image goes through here, so that what is stored, shown and sent is what the model sees.
 */
import sharp, { type Metadata, type OutputInfo, type Sharp, type SharpOptions } from "sharp";
import { fileReason } from "../util/file-errors";
import { isLfsPointer, LFS_POINTER } from "../util/git-lfs";
import { readRegular, readStart } from "../util/regular-file";
import { BEGINNING_BYTES, imageFormat } from "./image-beginning";
import { BMP_HEADER_BYTES, bmpSize, decodeBmp, isBmp } from "./image-bmp";
import { MOST_PIXELS, type Pixels } from "./image-pixels";

sharp.cache(false); // libvips keeps what it read by the file's name, also where another file has that name by now

/** Bytes at the start of a file that say what it is. */
const START = Math.max(64, BMP_HEADER_BYTES, BEGINNING_BYTES);

const startOf = (source: string | Uint8Array): Uint8Array =>
  typeof source === "string" ? readStart(source, START) : source.subarray(0, START);

/** Runs `read` with errors that name the image. */
async function named<T>(source: string | Uint8Array, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const name = typeof source === "string" ? source : `image of ${source.length} bytes`;
    const reason = fileReason(error);
    throw new Error(`${name}: can't be read as an image (${reason})`, { cause: new Error(reason) });
  }
}

/** Why an image could not be read, without its name: of an error of this file, for callers that know a better name. */
export const reasonOf = (error: unknown): string =>
  error instanceof Error && error.cause instanceof Error ? error.cause.message : String((error as Error).message);

/** C, M, Y, K bytes to RGB as Pillow converts them: (255 - C)(255 - K) / 255, rounded. */
function cmykToRgb(cmyk: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let i = 0, j = 0; i < cmyk.length; i += 4) {
    const light = 255 - cmyk[i + 3];
    for (let c = 0; c < 3; c++) {
      const product = cmyk[i + c] * light + 128;
      rgb[j++] = light - (((product >> 8) + product) >> 8);
    }
  }
  return rgb;
}

/** 16-bit grey to RGB as Pillow converts its mode `I;16`: values above 255 are white. */
function clippedGrey(bytes: Buffer): Uint8Array {
  const grey = new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const rgb = new Uint8Array(3 * grey.length);
  for (let i = 0; i < rgb.length; i++) rgb[i] = Math.min(255, grey[Math.floor(i / 3)]);
  return rgb;
}

/** What is damaged is refused, and what is too large. */
const STRICT: SharpOptions = { failOn: "error", limitInputPixels: MOST_PIXELS };

/** @throws Error where bytes begin as no image that is read: an SVG may keep its decoder busy for ever */
function checkBeginning(bytes: Uint8Array): void {
  if (isLfsPointer(bytes)) throw new Error(LFS_POINTER);
  if (imageFormat(bytes) === null)
    throw new Error("unsupported image format: its bytes are no JPEG, PNG, WebP, GIF, TIFF, AVIF or BMP");
}

type Raw = { data: Buffer; info: OutputInfo };
const rawOf = (image: Sharp, depth: "uchar" | "ushort" = "uchar"): Promise<Raw> =>
  image.raw({ depth }).toBuffer({ resolveWithObject: true });

async function decodeBySharp(bytes: Uint8Array): Promise<Pixels> {
  const upright = (): Sharp => sharp(bytes, { ...STRICT, ignoreIcc: true }).autoOrient();
  const { space, channels, depth } = await sharp(bytes, STRICT).metadata();
  if (space === "cmyk") {
    if (channels !== 4 || depth !== "uchar")
      throw new Error(`${channels} channels of ${depth} in CMYK; 4 of 8 bits are supported`);
    // any other way libvips converts by a profile of its own, also where ICC profiles are to be ignored
    const { data, info } = await rawOf(upright().pipelineColourspace("cmyk").toColourspace("cmyk"));
    return { width: info.width, height: info.height, channels: 3, data: cmykToRgb(data) };
  }
  if (space === "grey16" && channels === 1) {
    const { data, info } = await rawOf(upright().toColourspace("grey16"), "ushort");
    return { width: info.width, height: info.height, channels: 3, data: clippedGrey(data) };
  }
  const { data, info } = await rawOf(upright().toColourspace("srgb"));
  if (info.channels !== 3 && info.channels !== 4)
    throw new Error(`${info.channels} channels; 3 are expected, or 4 with alpha`);
  return { width: info.width, height: info.height, channels: info.channels, data };
}

/**
 * Decodes an image file or its bytes as Pillow's `exif_transpose` and `convert("RGB")` do, but for alpha, which is
 * kept: EXIF orientation applied, embedded colour profile ignored; CMYK by Pillow's formula (Adobe's inverted JPEGs
 * too); BMP, also under another name. Of 16 bits a channel the upper 8 count, but 16-bit grey without alpha is clipped:
 * values above 255 are white. That loses the picture, and it is what transformers' `load_image` gives the reference;
 * scale such images to 8 bits beforehand.
 * @throws Error naming the file when it is missing, no image, truncated, or larger than `MOST_PIXELS`
 */
export function decodeImage(source: string | Uint8Array): Promise<Pixels> {
  return named(source, async () => {
    const bytes = typeof source === "string" ? readRegular(source) : source;
    checkBeginning(bytes);
    return isBmp(bytes) ? decodeBmp(bytes) : decodeBySharp(bytes);
  });
}

/** An image's size as `decodeImage` gives it. */
export interface UprightSize {
  width: number;
  height: number;
  /** The file holds it lying or mirrored, and its EXIF orientation says so. */
  turned: boolean;
}

/** What a file's header says. */
export interface ImageHeader extends UprightSize {
  /** As sharp calls it, or "bmp". */
  format: Metadata["format"] | "bmp";
  /** Not asked of a BMP: false. */
  hasAlpha: boolean;
  /** The pixels need a conversion of this project's before others see the same: CMYK, 16-bit grey. */
  special: boolean;
}

/** Reads an image's header; no pixel is decoded. @throws Error naming the file when it is missing or no image */
export function readImageHeader(source: string | Uint8Array): Promise<ImageHeader> {
  return named(source, async () => {
    const start = startOf(source);
    checkBeginning(start);
    if (isBmp(start)) {
      const { width, height } = bmpSize(start);
      return { width, height, turned: false, format: "bmp", hasAlpha: false, special: false };
    }
    const { autoOrient, orientation, format, hasAlpha, space } = await sharp(source, STRICT).metadata();
    return {
      ...autoOrient,
      turned: (orientation ?? 1) > 1,
      format,
      hasAlpha,
      special: space === "cmyk" || space === "grey16",
    };
  });
}

/**
 * Size of an image as the model sees it, from its header.
 * @throws Error naming the file when it is missing or no image
 */
export async function uprightSize(source: string | Uint8Array): Promise<UprightSize> {
  const { width, height, turned } = await readImageHeader(source);
  return { width, height, turned };
}

/**
 * An image as the model sees it, to go on with in sharp: upright, RGB or RGBA, without profile and EXIF.
 * @throws as `decodeImage`
 */
export async function uprightImage(source: string | Uint8Array): Promise<Sharp> {
  const { data, width, height, channels } = await decodeImage(source);
  return sharp(data, { raw: { width, height, channels: channels as 3 | 4 } });
}
