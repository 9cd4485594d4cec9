/**
 * Files of others are opened here: what is a device, a pipe or a socket is refused, for reading one may block for ever
 * or never end.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync, type Stats } from "node:fs";

/** What a path leads to that is no file, in words. */
function kindOf(found: Stats): string {
  if (found.isDirectory()) return "it is a folder";
  const kind = found.isFIFO() ? "pipe" : found.isSocket() ? "socket" : "device";
  return `it is a ${kind}, not a file; save what it holds as a file`;
}

/**
 * Opens a file for reading; links are followed. The caller closes it.
 * @returns its descriptor
 * @throws Error saying why, without the file's name: it is missing, or a folder, device, pipe or socket
 */
export function openRegular(file: string): number {
  const handle = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK); // a pipe that nobody writes to is not waited for
  const found = fstatSync(handle);
  if (found.isFile()) return handle;
  closeSync(handle);
  throw new Error(kindOf(found));
}

/** What `read` makes of an open file, which is closed after. @throws as `openRegular` */
function whileOpen<T>(file: string, read: (handle: number) => T): T {
  const handle = openRegular(file);
  try {
    return read(handle);
  } finally {
    closeSync(handle);
  }
}

/** A file's bytes. @throws as `openRegular` */
export const readRegular = (file: string): Buffer => whileOpen(file, (handle) => readFileSync(handle));

/** A file's first bytes, `length` at most. @throws as `openRegular` */
export const readStart = (file: string, length: number): Buffer =>
  whileOpen(file, (handle) => {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(handle, bytes, 0, length, 0));
  });
