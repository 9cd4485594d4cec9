/** Documents and notebooks as the insides of pages: what `render.py` beside this file makes of them. */
import { spawnSync } from "node:child_process";
import * as path from "node:path";
import { venvPython } from "../environment";

/** Output of all pages together, bytes: far more than they have. */
const MOST_OUTPUT = 1 << 29;

/**
 * Renders files with nbconvert, one Python process for all of them.
 * @param files .ipynb and .md, from `root`
 * @returns normalised HTML by file
 * @throws Error naming the file and what it holds that no page can show
 */
export function renderPages(root: string, files: readonly string[]): Map<string, string> {
  if (files.length === 0) return new Map();
  const { status, stdout, stderr, error } = spawnSync(venvPython, [path.join(__dirname, "render.py"), root], {
    input: JSON.stringify(files),
    encoding: "utf8",
    maxBuffer: MOST_OUTPUT,
    // templates of this project's Python before those of the home folder
    env: { ...process.env, JUPYTER_PREFER_ENV_PATH: "1", PYTHONUTF8: "1" },
  });
  if (error) throw new Error(`${venvPython}: ${error.message}; run node tools/setup.mjs`);
  if (status !== 0) throw new Error(stderr.trim().split("\n").slice(-20).join("\n"));
  const pages = JSON.parse(stdout) as { file: string; html: string }[];
  return new Map(pages.map(({ file, html }) => [file, html]));
}
