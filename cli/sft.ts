/** `sft`: Stage 1. */
import { disposeTree } from "../lib/engine/tree";
import { resultFolder } from "../lib/experiment/models";
import { sftModel } from "../lib/experiment/sft";
import type { SftOptions } from "./commands/sft";
import { settingsOf, withExperiment } from "./experiment";
import { print, printJson } from "./output";

/**
 * @returns exit code: 0; 2 where records were left out
 * @throws Error where an option, a record, an image or the model is bad
 */
export function run(options: SftOptions): Promise<number> {
  const { method } = options;
  return withExperiment(settingsOf(options), method, async (experiment, watch) => {
    const { params, log } = await sftModel(experiment, method, watch);
    disposeTree(params);
    const result = resultFolder(experiment, method);
    const { leftOut } = experiment;
    const loss = log[log.length - 1]?.loss ?? null;
    if (options.json) printJson({ result, run: experiment.settings.run, steps: log.length, loss, left_out: leftOut });
    else print(`${result}: ${log.length} steps, last loss ${loss?.toFixed(4)}, ${leftOut} left out`);
    return leftOut > 0 ? 2 : 0;
  });
}
