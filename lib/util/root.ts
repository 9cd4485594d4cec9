/** Where the repository is: compiled for a notebook's kernel, these files lie elsewhere. */
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";

let root: string | null = null;

/** The repository's folder: the nearest one above this file, or above the working directory, with our package.json. */
export function repositoryRoot(): string {
  if (root !== null) return root;
  for (const start of [__dirname, process.cwd()]) {
    for (let folder = start; ; folder = path.dirname(folder)) {
      const file = path.join(folder, "package.json");
      if (existsSync(file) && /"name":\s*"fine-r1"/.test(readFileSync(file, "utf8"))) return (root = folder);
      if (path.dirname(folder) === folder) break;
    }
  }
  throw new Error(`no package.json named "fine-r1" above ${__dirname} or ${process.cwd()}: run from the repository`);
}
