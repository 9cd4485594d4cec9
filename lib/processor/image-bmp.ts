/**
 * Windows bitmaps (BMP), which libvips does not read here: 24 and 32 bits a pixel and palettes of 1, 4 and 8 bits, not
 * compressed, rows upwards or downwards, under the headers from BITMAPINFOHEADER (40 bytes) to BITMAPV5HEADER (124).
 * Colours and alpha as Pillow reads them: the fourth byte is alpha only where the header has a mask for it.
 */
import { MOST_PIXELS, type Pixels } from "./image-pixels";

/** Whether bytes, or a file's first bytes, are those of a BMP, whatever the file's name. */
export const isBmp = (bytes: Uint8Array): boolean => bytes.length >= 2 && bytes[0] === 0x42 && bytes[1] === 0x4d;

/** How many bytes at the start of a file `bmpSize` needs. */
export const BMP_HEADER_BYTES = 26;

const HEADERS = [40, 52, 56, 108, 124];
const UNCOMPRESSED = 0;
const BITFIELDS = 3;

interface Header {
  width: number;
  height: number;
  /** Rows begin at the top; otherwise at the bottom. */
  topDown: boolean;
  bits: number;
  /** Where the pixels begin. */
  start: number;
  /** Where the palette begins, and how many colours it has, four bytes each. */
  paletteStart: number;
  colours: number;
  /** Offset of each channel within a pixel's bytes: red, green, blue, and alpha or -1. */
  channels: [number, number, number, number];
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Size in pixels, from the first `BMP_HEADER_BYTES`. @throws Error where the header is none that is supported */
export function bmpSize(bytes: Uint8Array): { width: number; height: number; topDown: boolean } {
  if (bytes.length < BMP_HEADER_BYTES) throw new Error(`BMP: ${bytes.length} bytes are no header: it is truncated`);
  const view = viewOf(bytes);
  const size = view.getUint32(14, true);
  if (!HEADERS.includes(size))
    throw new Error(`BMP: a header of ${size} bytes; ${HEADERS.join(", ")} are supported; save it as PNG`);
  const [width, height] = [view.getInt32(18, true), view.getInt32(22, true)];
  if (width <= 0 || height === 0 || width * Math.abs(height) > MOST_PIXELS)
    throw new Error(`BMP: ${width} x ${Math.abs(height)} pixels`);
  return { width, height: Math.abs(height), topDown: height < 0 };
}

/** The byte of a mask within a pixel. @throws Error where it is not one whole byte */
function byteOf(mask: number): number {
  const byte = [0xff, 0xff00, 0xff0000, 0xff000000].indexOf(mask);
  if (byte < 0) throw new Error(`BMP: the channel mask 0x${mask.toString(16)} is no whole byte; save it as PNG`);
  return byte;
}

/** Where the channels of a 32-bit pixel are. Masks of zeros stand for blue, green, red, alpha, as in Pillow. */
function maskedChannels(view: DataView, headerSize: number): [number, number, number, number] {
  const masks = [0, 1, 2, 3].map((i) => (i < 3 || headerSize >= 56 ? view.getUint32(54 + 4 * i, true) : 0));
  if (masks.every((mask) => mask === 0)) return [2, 1, 0, 3];
  const [red, green, blue] = masks.slice(0, 3).map(byteOf);
  return [red, green, blue, masks[3] === 0 ? -1 : byteOf(masks[3])];
}

function readHeader(bytes: Uint8Array): Header {
  const size = bmpSize(bytes);
  const view = viewOf(bytes);
  const headerSize = view.getUint32(14, true);
  if (bytes.length < 14 + headerSize) throw new Error("BMP: it is truncated in its header");
  const [bits, compression] = [view.getUint16(28, true), view.getUint32(30, true)];
  const supported = compression === UNCOMPRESSED ? [1, 4, 8, 24, 32] : [32];
  if ((compression !== UNCOMPRESSED && compression !== BITFIELDS) || !supported.includes(bits))
    throw new Error(
      `BMP: ${bits} bits a pixel under compression ${compression}; 1, 4, 8, 24 and 32 bits without compression are supported; save it as PNG`,
    );
  const masked = compression === BITFIELDS;
  if (masked && bytes.length < 66) throw new Error("BMP: it is truncated in its channel masks");
  const stated = view.getUint32(46, true);
  return {
    ...size,
    bits,
    start: view.getUint32(10, true),
    paletteStart: 14 + headerSize,
    colours: stated === 0 ? 2 ** bits : stated,
    channels: masked ? maskedChannels(view, headerSize) : [2, 1, 0, -1],
  };
}

/** Copies one row whose pixels hold their channels' bytes. */
function copyRow(row: Uint8Array, out: Uint8Array, { bits, channels }: Header): void {
  const from = bits / 8;
  const offsets = channels.filter((offset) => offset >= 0);
  for (let at = 0, to = 0; to < out.length; at += from) for (const offset of offsets) out[to++] = row[at + offset];
}

/** Looks up one row of colour numbers, the first in the highest bits of a byte. */
function lookUpRow(row: Uint8Array, out: Uint8Array, { bits, colours }: Header, palette: Uint8Array): void {
  const [perByte, mask] = [8 / bits, 2 ** bits - 1];
  for (let x = 0, to = 0; to < out.length; x++) {
    const colour = (row[Math.floor(x / perByte)] >> (8 - bits * (1 + (x % perByte)))) & mask;
    if (colour >= colours) throw new Error(`BMP: a pixel has colour ${colour} of a palette of ${colours}`);
    for (const offset of [2, 1, 0]) out[to++] = palette[4 * colour + offset];
  }
}

/**
 * Decodes a BMP.
 * @throws Error where it is truncated, or of a kind that is not supported (16 bits, run lengths, JPEG or PNG inside)
 */
export function decodeBmp(bytes: Uint8Array): Pixels {
  const header = readHeader(bytes);
  const { width, height, topDown, bits, start } = header;
  const stride = Math.ceil((width * bits) / 32) * 4;
  const missing = start + stride * height - bytes.length;
  if (missing > 0) throw new Error(`BMP: ${missing} bytes of its pixels are missing: it is truncated`);
  const palette = bytes.subarray(header.paletteStart, header.paletteStart + 4 * header.colours);
  if (bits <= 8 && palette.length < 4 * header.colours) throw new Error("BMP: it is truncated in its palette");
  const channels = header.channels[3] < 0 ? 3 : 4;
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const from = start + stride * (topDown ? y : height - 1 - y);
    const row = bytes.subarray(from, from + stride);
    const out = data.subarray(y * width * channels, (y + 1) * width * channels);
    if (bits <= 8) lookUpRow(row, out, header, palette);
    else copyRow(row, out, header);
  }
  return { width, height, channels, data };
}
