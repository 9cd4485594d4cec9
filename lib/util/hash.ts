/** Hashes of files and folders. */
import { createHash, type Hash } from "node:crypto";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, statSync } from "node:fs";
import * as path from "node:path";
import { repositoryRoot } from "./root";

/** Cards and notes (`README.md`): nothing is computed from them, so results stay valid when their words change. */
const isDocument = (name: string): boolean => name.endsWith(".md");

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) =>
      entry.isDirectory() ? filesBelow(path.join(folder, entry.name)) : [path.join(folder, entry.name)],
    )
    .filter((file) => !isDocument(file))
    .sort();
}

/**
 * SHA-256 over the names and contents of all files of some folders or files below the repository, in order of name.
 * Markdown files in folders are left out.
 */
export function hashTree(roots: readonly string[]): string {
  const hash = createHash("sha256");
  for (const root of roots) {
    const whole = path.join(repositoryRoot(), root);
    if (!existsSync(whole)) continue;
    for (const file of statSync(whole).isDirectory() ? filesBelow(whole) : [whole]) {
      hash.update(`${path.relative(repositoryRoot(), file).split(path.sep).join("/")}\0`);
      hash.update(readFileSync(file));
      hash.update("\0");
    }
  }
  return hash.digest("hex");
}

const BLOCK = 1 << 16;
const BLOCKS = 256;

/** A file of a folder, links followed. */
interface Entry {
  name: string;
  size: number;
  /** Changes when the file, or what a link leads to, is another or is written to. */
  version: string;
}

/**
 * The files of a folder in order of name, links followed; folders and Markdown files are left out.
 * @throws Error naming a broken link
 */
function filesOf(folder: string): Entry[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      if (isDocument(entry.name) || (!entry.isFile() && !entry.isSymbolicLink())) return [];
      const file = path.join(folder, entry.name);
      const found = statSync(file, { bigint: true, throwIfNoEntry: false });
      if (!found)
        throw new Error(`${file}: a link to a file that is not there (${readlinkSync(file)}); fetch it again`);
      const { dev, ino, size, mtimeNs, ctimeNs } = found;
      if (!found.isFile()) return [];
      return [{ name: entry.name, size: Number(size), version: [dev, ino, size, mtimeNs, ctimeNs].join(":") }];
    });
}

/** Adds a file's contents to a hash; of one above 16 MiB, 256 blocks spread over it. */
function addContents(hash: Hash, file: string, size: number): void {
  const blocks = Math.min(BLOCKS, Math.ceil(size / BLOCK));
  const buffer = Buffer.alloc(BLOCK);
  const handle = openSync(file, "r");
  try {
    for (let i = 0; i < blocks; i++) {
      const start = blocks < BLOCKS ? i * BLOCK : Math.floor((i * (size - BLOCK)) / (BLOCKS - 1));
      hash.update(buffer.subarray(0, readSync(handle, buffer, 0, BLOCK, start)));
    }
  } finally {
    closeSync(handle);
  }
}

/** Fingerprints by folder, with the versions of the files they are of: a checkpoint is read once in a process. */
const known = new Map<string, { versions: string; digest: string }>();

/**
 * SHA-256 over the names, sizes and contents of a folder's files; of a file above 16 MiB, 256 blocks spread over it. A
 * symbolic link counts as the file it leads to, as in the snapshots of Hugging Face's cache; folders and Markdown files
 * (model cards) are left out. Read again in the same process only where a file's size or time of change has changed.
 * @throws Error naming a link that leads to nothing
 */
export function fingerprint(folder: string): string {
  const files = filesOf(folder);
  const place = path.resolve(folder);
  const versions = JSON.stringify(files.map(({ name, version }) => [name, version]));
  const before = known.get(place);
  if (before?.versions === versions) return before.digest;
  const hash = createHash("sha256");
  for (const { name, size } of files) {
    hash.update(`${name}\0${size}\0`);
    addContents(hash, path.join(folder, name), size);
  }
  const digest = hash.digest("hex");
  known.set(place, { versions, digest });
  return digest;
}
