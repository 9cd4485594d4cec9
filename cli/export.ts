/** `export`: a run for another engine, or as a data set. */
import * as path from "node:path";
import { writeDataset } from "../lib/export/dataset";
import { writeVlmEvalKit } from "../lib/export/vlmevalkit";
import { writeExport } from "../lib/export/write";
import type { ExportOptions } from "./commands/export";
import { shellWord } from "../lib/cluster/plan";
import { settingsOf, withExperiment } from "./experiment";
import { print, printJson } from "./output";

/** Numbers of what was written, in words. */
const counted = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .map(([what, n]) => `${n} ${what}`)
    .join(", ");

/**
 * @returns exit code: 0; 2 where records or rows were left out
 * @throws Error where something cannot be exported, or the folder holds something else
 */
export function run(
  options: ExportOptions,
  target: "trl" | "llamafactory" | "swift" | "easyr1" | "dataset" | "vlmevalkit",
  dir: string,
): Promise<number> {
  const { gpus, method, json } = options;
  return withExperiment(settingsOf(options), `export ${target}`, async (experiment, watch) => {
    const out = path.resolve(dir);
    const { counts, steps } =
      target === "vlmevalkit"
        ? { ...(await writeVlmEvalKit(experiment, out)), steps: [] }
        : target === "dataset"
          ? { ...(await writeDataset(experiment, out, watch)), steps: [] }
          : await writeExport(experiment, target, out, { gpus, method, watch });
    const { leftOut } = experiment;
    if (json) printJson({ out, ...counts, commands: steps.map(({ command }) => command), left_out: leftOut });
    else {
      print(`${out}: ${counted(counts)}, ${leftOut} left out`);
      for (const { what, command } of steps) print(`${what}: cd ${shellWord(dir)} && ${command}`);
    }
    return leftOut > 0 ? 2 : 0;
  });
}
