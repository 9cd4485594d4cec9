/** Hashes of files and folders. */
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import * as path from "node:path";
import { repositoryRoot } from "./root";

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) =>
      entry.isDirectory() ? filesBelow(path.join(folder, entry.name)) : [path.join(folder, entry.name)],
    )
    .sort();
}

/** SHA-256 over the names and contents of all files of some folders or files below the repository, in order of name. */
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

/** SHA-256 over the names, sizes and contents of a folder's files; of a file above 16 MiB, 256 blocks spread over it. */
export function fingerprint(folder: string): string {
  const hash = createHash("sha256");
  for (const entry of readdirSync(folder, { withFileTypes: true })
    .filter((one) => one.isFile())
    .sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = path.join(folder, entry.name);
    const { size } = statSync(file);
    hash.update(`${entry.name}\0${size}\0`);
    const blocks = Math.min(BLOCKS, Math.ceil(size / BLOCK));
    const handle = openSync(file, "r");
    const buffer = Buffer.alloc(BLOCK);
    for (let i = 0; i < blocks; i++)
      hash.update(
        buffer.subarray(
          0,
          readSync(
            handle,
            buffer,
            0,
            BLOCK,
            blocks < BLOCKS ? i * BLOCK : Math.floor((i * (size - BLOCK)) / (BLOCKS - 1)),
          ),
        ),
      );
    closeSync(handle);
  }
  return hash.digest("hex");
}
