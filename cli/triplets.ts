/** `triplets`: Stage-2 rows of a benchmark as parquet. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { tripletsOf } from "../lib/experiment/rl";
import { writeTriplets } from "../lib/experiment/triplet-files";
import type { TripletsOptions } from "./commands/triplets";
import { settingsOf, withExperiment } from "./experiment";
import { note, print, printJson } from "./output";

/**
 * @returns exit code: 0; 2 where images were left out
 * @throws Error where the file is there already, or no row can be made
 */
export function run(options: TripletsOptions): Promise<number> {
  return withExperiment(settingsOf(options), "triplets", async (experiment) => {
    const out = path.resolve(options.out ?? path.join(experiment.folder, "triplets.parquet"));
    if (existsSync(out) && !options.restart)
      throw new Error(`${out} is there already; --restart writes it anew, --out writes elsewhere`);
    const { rows, skipped } = await writeTriplets(experiment, out, await tripletsOf(experiment));
    for (const { image, reason } of skipped) note(`${image}: left out: ${reason}`);
    const leftOut = skipped.length + experiment.leftOut;
    if (options.json) printJson({ out, rows, left_out: leftOut });
    else print(`${out}: ${rows} rows, ${leftOut} left out`);
    return leftOut > 0 ? 2 : 0;
  });
}
