/** Why a file or folder cannot be used, in words. */

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "no permission",
  EPERM: "no permission",
  EROFS: "the file system is read-only",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is a file, not a folder",
  ELOOP: "a symbolic link that leads to itself",
  ENAMETOOLONG: "the name is too long",
  ENOSPC: "the disk is full",
  EMFILE: "too many open files; raise the limit (ulimit -n)",
};

/** The reason of a file system's error: `no such file or folder`. Of other errors the first line of their message. */
export function fileReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code === undefined ? undefined : WORDS[code]) ?? message.split("\n")[0];
}
