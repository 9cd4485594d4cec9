/** `rl`: Stage 2. */
import { disposeTree } from "../lib/engine/tree";
import { resultFolder } from "../lib/experiment/models";
import { rlModel } from "../lib/experiment/rl";
import type { RlOptions } from "./commands/rl";
import { settingsOf, withExperiment } from "./experiment";
import { print, printJson } from "./output";

/**
 * @returns exit code: 0; 2 where rows or records were left out
 * @throws Error where something is bad, or nothing was learnt
 */
export function run(options: RlOptions): Promise<number> {
  const { method, start, triplets } = options;
  const named = {
    start,
    triplets,
    "rl.rollouts": options.rollouts,
    "rl.rolloutModel": options.rolloutModel,
    "rl.rolloutWeights": options.rolloutWeights,
  };
  const chosen = Object.entries(named).flatMap(([name, value]) => (value ? [`${name}=${value}`] : []));
  return withExperiment(settingsOf(options, chosen), method, async (experiment, watch) => {
    const { params, log } = await rlModel(experiment, method, watch);
    disposeTree(params);
    const result = resultFolder(experiment, method);
    const { leftOut } = experiment;
    const reward = log[log.length - 1]?.reward ?? null;
    if (options.json) printJson({ result, run: experiment.settings.run, steps: log.length, reward, left_out: leftOut });
    else print(`${result}: ${log.length} steps, last reward ${reward?.toFixed(3)}, ${leftOut} left out`);
    return leftOut > 0 ? 2 : 0;
  });
}
