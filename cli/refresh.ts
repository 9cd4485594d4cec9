/** `refresh`: the main job, then the README's results block from what it left in `figures/`. */
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { repositoryRoot } from "../lib/util/root";
import { replaceBlock, resultsBlock } from "../lib/report/readme";
import { writeText } from "../lib/util/files";
import type { RefreshOptions } from "./commands/refresh";
import { run as contrastive } from "./contrastive";
import { print } from "./output";
import { run as probe } from "./probe";
import { run as mainJob } from "./run";

const MAIN = { scale: "default", run: "main", set: [] as string[] } as const;

/** What is published: the main job, and beside it what `figures/` has already, which follows its code too. @returns exit code */
async function publish(figures: string): Promise<number> {
  const job = await mainJob({ ...MAIN, verbose: false }, []);
  if (job !== 0) return job;
  const beside = [
    { name: "contrastive", make: () => contrastive({ ...MAIN, steps: 1000 }) },
    { name: "probes", make: () => probe({ ...MAIN, methods: ["base", "sft", "tapo"] }) },
  ];
  for (const { name, make } of beside) {
    if (!existsSync(path.join(figures, `${name}.csv`))) continue;
    const code = await make();
    if (code !== 0) return code;
  }
  return 0;
}

export async function run({ readmeOnly }: RefreshOptions): Promise<number> {
  const root = repositoryRoot();
  const figures = path.join(root, "figures");
  const code = readmeOnly ? 0 : await publish(figures);
  if (code !== 0) return code;
  const file = path.join(root, "README.md");
  writeText(file, replaceBlock(readFileSync(file, "utf8"), "results", resultsBlock(figures)));
  print("README.md: results block written");
  return 0;
}
