/**
 * `refresh`: the main job, its figures copied to `figures/`, the outputs of its notebooks put into `notebooks/`, and
 * the documents' results blocks made from them.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import * as path from "node:path";
import { openBenchmark } from "../lib/benchmark/open";
import { provenance } from "../lib/experiment/identity";
import { loadSettings } from "../lib/experiment/load-settings";
import { resultsBlock, shortResultsBlock, writeBlocks } from "../lib/report/readme";
import { repositoryRoot } from "../lib/util/root";
import { publishNotebooks } from "../tools/notebooks/publish";
import { allNotebooks } from "../tools/notebooks/run";
import type { RefreshOptions } from "./commands/refresh";
import { run as contrastive } from "./contrastive";
import { print } from "./output";
import { run as probe } from "./probe";
import { run as mainJob } from "./run";

const MAIN = { scale: "default", run: "main", set: [] as string[] } as const;

/**
 * What is published: the main job, and beside it what `figures/` has already, which follows its code too.
 * @returns exit code
 */
async function make(figures: string): Promise<number> {
  const job = await mainJob({ ...MAIN, verbose: false }, []);
  if (job !== 0) return job;
  const beside = [
    { name: "contrastive", run: () => contrastive({ ...MAIN, steps: 1000 }) },
    { name: "probes", run: () => probe({ ...MAIN, methods: ["base", "sft", "tapo"] }) },
  ];
  for (const { name, run: one } of beside) {
    if (!existsSync(path.join(figures, `${name}.csv`))) continue;
    const code = await one();
    if (code !== 0) return code;
  }
  return 0;
}

/** Copies what the run `main` published to `figures/`, the one place where figures under git change. */
function publish(figures: string): void {
  const made = path.join(repositoryRoot(), "data/runs/main/figures");
  mkdirSync(figures, { recursive: true });
  for (const name of readdirSync(made)) copyFileSync(path.join(made, name), path.join(figures, name));
}

/** Puts the outputs of the run `main` into `notebooks/`. */
async function publishOutputs(): Promise<void> {
  const settings = loadSettings({ scale: MAIN.scale, run: MAIN.run, environment: {} });
  const { fingerprint } = await openBenchmark({ benchmark: settings.benchmark });
  const executed = path.join(repositoryRoot(), "data/runs/main/notebooks");
  const published = await publishNotebooks(allNotebooks(), executed, provenance(settings, fingerprint));
  print(`${published.length} notebooks: outputs written`);
}

export async function run({ readmeOnly }: RefreshOptions): Promise<number> {
  const root = repositoryRoot();
  const figures = path.join(root, "figures");
  if (!readmeOnly) {
    const code = await make(figures);
    if (code !== 0) return code;
    publish(figures);
    await publishOutputs();
  }
  writeBlocks(root, { results: resultsBlock(figures), "results in short": shortResultsBlock(figures) });
  print("README.md, docs/results.md: results written");
  return 0;
}
