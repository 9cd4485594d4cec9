/**
 * One side of a case in a process of its own:
 *
 *     node --import tsx test/bench/worker.ts CASE [VARIANT]
 *
 * CASE is `ours/CASE`, or `peers/FILE` for a peer that runs on Node.
 * Sets the case up, runs it once, says so in one JSON line; then one JSON line for each `run` on stdin, until `exit`.
 * Everything else that is printed goes to stderr.
 */
import * as path from "node:path";
import { performance } from "node:perf_hooks";
import * as readline from "node:readline";
import type { BenchCase, BenchModule } from "./types";

for (const name of ["TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"]) process.env[name] ??= "2";

const write = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);
const say = (message: Record<string, unknown>): boolean => write(`${JSON.stringify(message)}\n`);

async function versionsOf(name: string, own: BenchModule["versions"]): Promise<Record<string, string>> {
  const { node } = process.versions;
  if (name.includes("/")) return { node, ...own };
  const { nativeBackend } = await import("../../lib/engine/native");
  const { TF_Version } = nativeBackend().binding as unknown as { TF_Version: string };
  return { node, tensorflow: TF_Version, ...own };
}

async function timed(one: BenchCase): Promise<{ seconds: number; value: number }> {
  const start = performance.now();
  const value = await one.run();
  return { seconds: (performance.now() - start) / 1000, value };
}

async function main([name, variant = ""]: string[]): Promise<void> {
  const module = (await import(path.join(__dirname, name.includes("/") ? name : `ours/${name}`))) as BenchModule;
  const versions = await versionsOf(name, module.versions);
  const start = performance.now();
  const one = await module.setUp(variant);
  const first = await timed(one);
  say({
    ready: true,
    setUpSeconds: (performance.now() - start) / 1000,
    firstSeconds: first.seconds,
    value: first.value,
    work: one.work,
    versions,
  });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (line === "run") say({ ...(await timed(one)), residentBytes: process.memoryUsage.rss() });
    else if (line === "exit") break;
  }
  one.dispose?.();
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof Error ? error.stack : error);
    say({ error: error instanceof Error ? error.message : String(error) });
    process.exit(1);
  },
);
