/** Git LFS: a clone without it has small text files where the large ones belong. */

const START = "version https://git-lfs.github.com/spec/";

/** What to say of a pointer, after the file's name. */
export const LFS_POINTER = "a Git LFS pointer, not the file itself: fetch the file with `git lfs pull`";

/** Whether a file's first bytes (at least 40), or its text, are those of a Git LFS pointer. */
export function isLfsPointer(start: Uint8Array | string): boolean {
  const text = typeof start === "string" ? start : Buffer.from(start.subarray(0, START.length)).toString("latin1");
  return text.startsWith(START);
}
