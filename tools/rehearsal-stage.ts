/** One stage of the rehearsal: `tools/rehearsal-stage.ts STAGE NAME=VALUE…`; its last line is a JSON report. */
import { readFileSync } from "node:fs";
import { disposeTree } from "../lib/engine/tree";
import { cotData } from "../lib/experiment/cot";
import { evaluate } from "../lib/experiment/evaluate";
import { openExperiment } from "../lib/experiment/open";
import { rlModel } from "../lib/experiment/rl";
import { loadSettings } from "../lib/experiment/load-settings";
import { sftModel } from "../lib/experiment/sft";
import type { Watch } from "../lib/experiment/stage";
import type { Experiment } from "../lib/experiment/types";

/** The most memory that this process has held, GiB. */
function peakGib(): number {
  const kib = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return Math.round((Number(kib) / 2 ** 20) * 100) / 100;
}

const watch: Watch = { onProgress: (done, total, note) => void process.stderr.write(`  ${done}/${total} ${note}\n`) };

/** What the memory plans of the stage said, GiB, the largest phase. */
let plannedGib = 0;

function say(message: string): void {
  process.stderr.write(`  ${message}\n`);
  if (!message.startsWith("memory: ")) return;
  for (const [, gib] of message.split(";")[0].matchAll(/ ([\d.]+) GiB/g))
    plannedGib = Math.max(plannedGib, Number(gib));
}

const WORK: Record<string, (experiment: Experiment) => Promise<Record<string, unknown>>> = {
  records: async (experiment) => {
    const { records } = await cotData(experiment, watch);
    return { records: records.length };
  },
  similarity: async (experiment) => {
    const neighbours = await experiment.neighbours();
    const [first] = experiment.benchmark.subcategories();
    return { nearest: neighbours(first)[0].name, to: first.name };
  },
  sft: async (experiment) => {
    const { params, log } = await sftModel(experiment, "sft", watch);
    disposeTree(params);
    return { steps: log.length, loss: log[log.length - 1].loss };
  },
  tapo: async (experiment) => {
    const { params, log } = await rlModel(experiment, "tapo", watch);
    disposeTree(params);
    const [{ length, gradNorm, kl, groups }] = log;
    return { steps: log.length, groups, responseTokens: length, gradNorm, kl };
  },
  evaluate: async (experiment) => {
    const rows = await evaluate(experiment, "tapo", watch);
    return { rows: rows.length, tokens: rows.reduce((n, row) => n + (row.output_tokens ?? 0), 0) };
  },
};

async function main([stage, ...set]: string[]): Promise<void> {
  const settings = loadSettings({ scale: "paper", set, environment: {} });
  const experiment = await openExperiment(settings, { say });
  const result = await WORK[stage](experiment);
  experiment.close();
  console.log(JSON.stringify({ peakGib: peakGib(), plannedGib: plannedGib > 0 ? plannedGib : null, result }));
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error((error as Error).stack ?? String(error));
  process.exitCode = 1;
});
