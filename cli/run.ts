/** `run`: the main job - every notebook, headless, in order - and the results table at its end. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { repositoryRoot } from "../lib/util/root";
import type { RunOptions } from "./commands/run";
import { runAll } from "./notebooks";
import { print } from "./output";
import { printAccuracy } from "./table";

export async function run(options: RunOptions, names: readonly string[]): Promise<number> {
  const { ok, run: name } = await runAll(options, names);
  if (!ok) return 1;
  print();
  if (existsSync(path.join(repositoryRoot(), "data/runs", name, "predictions"))) printAccuracy(name);
  return 0;
}
