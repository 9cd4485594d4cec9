/** `npm run refresh`: the main job, then the documents' results tables from what it left in `figures/`. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { repositoryRoot } from "../lib/util/root";
import { resultsBlock, shortResultsBlock, writeBlocks } from "../lib/report/readme";
import { run as contrastive } from "./contrastive";
import { run as probes } from "./probe";
import { run as mainJob } from "./run";

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { "readme-only": { type: "boolean", default: false } } });
  if (!values["readme-only"]) {
    const code = await mainJob(["--scale", "default", "--run", "main"]);
    if (code !== 0) return code;
  }
  const root = repositoryRoot();
  // what is published beside the main job and is not part of it follows its code too
  for (const [name, command, more] of values["readme-only"]
    ? []
    : ([
        ["contrastive", contrastive, ["--steps", "1000"]],
        ["probes", probes, []],
      ] as const)) {
    if (!existsSync(path.join(root, "figures", `${name}.csv`))) continue;
    const code = await command(["--scale", "default", "--run", "main", ...more]);
    if (code !== 0) return code;
  }
  const figures = path.join(root, "figures");
  writeBlocks(root, { results: resultsBlock(figures), "results in short": shortResultsBlock(figures) });
  console.log("README.md, docs/results.md: results written");
  return 0;
}
