/** `import`: a model of another engine as a run's. */
import * as path from "node:path";
import { importTraining } from "../lib/export/import";
import type { ImportOptions } from "./commands/import";
import { shellWord } from "../lib/cluster/plan";
import { note, print, printJson } from "./output";

/**
 * @returns exit code 0
 * @throws Error where the model cannot be used here, or the name is taken
 */
export async function run(options: ImportOptions, dir: string): Promise<number> {
  const { run: name, method } = options;
  const { kind, folder, base, prompts, log, noLog, curves } = await importTraining({ ...options, dir });
  const model =
    kind === "model" ? `--model ${shellWord(folder)}` : `--model ${shellWord(base!)} --adapter ${shellWord(folder)}`;
  const evaluate = (setting: string): string =>
    `evaluate ${model} --method ${method} --prompts ${prompts} --setting ${setting} --out ${path.join("data/runs", name, "predictions", `${method}-${setting}.jsonl`)}`;
  const commands = [evaluate("closed"), evaluate("open"), `table --run ${name}`];
  if (noLog !== null) note(`the log beside the model is left out: ${noLog}`);
  if (options.json && !Array.isArray(curves)) note(`curves were not drawn: ${curves.reason}`);
  if (options.json) {
    const read = log && { file: log.file, stage: log.stage, steps: log.rows.length };
    printJson({ kind, folder, base, prompts, log: read, curves: Array.isArray(curves) ? curves : [], commands });
    return 0;
  }
  print(`${folder}: ${kind}${log ? `, ${log.rows.length} logged steps of ${log.from}` : ", no log"}`);
  if (!Array.isArray(curves)) note(`curves were not drawn: ${curves.reason}`);
  else for (const file of curves) print(`curves: ${file}`);
  print("Next, with --benchmark NAME behind each evaluate:");
  for (const command of commands) print(`  npm run -s fine-r1 -- ${command}`);
  return 0;
}
