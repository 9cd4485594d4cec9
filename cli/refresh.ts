/** `npm run refresh`: the main job, then the README's results block from what it left in `figures/`. */
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { repositoryRoot } from "../lib/util/root";
import { replaceBlock, resultsBlock } from "../lib/report/readme";
import { writeText } from "../lib/util/files";
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
  const file = path.join(root, "README.md");
  writeText(file, replaceBlock(readFileSync(file, "utf8"), "results", resultsBlock(path.join(root, "figures"))));
  console.log("README.md: results block written");
  return 0;
}
