/** `cot`: the records of Stage 1, by the teacher that is chosen. */
import * as path from "node:path";
import { cotData } from "../lib/experiment/cot";
import type { CotOptions } from "./commands/cot";
import { settingsOf, withExperiment } from "./experiment";
import { note, print, printJson } from "./output";
import { cotOnRay, cotTask } from "./ray-cot";
import { installRay } from "./ray-install";

/** @returns exit code: 0; 2 where images or records were left out; 1 where no record was kept */
export async function run(options: CotOptions): Promise<number> {
  if (options.installRay) return installRay();
  const named = options.modelName === undefined ? [] : [`teacherModel=${options.modelName}`];
  return withExperiment(settingsOf(options, named), "teacher", async (experiment, watch) => {
    const { ray, rayTask } = options;
    if (rayTask !== undefined) {
      await cotTask(experiment, rayTask, watch);
      return 0;
    }
    if (ray !== undefined) await cotOnRay(experiment, options, watch);
    const { records, attempts, rejections, card } = await cotData(experiment, watch);
    const out = path.join(experiment.folder, "cot");
    if (options.json) printJson({ ...card, out, records: records.length, attempts });
    else {
      const why = Object.entries(rejections).filter(([, times]) => times > 0);
      const rejected = why.map(([reason, times]) => `${reason} ${times}`).join(", ");
      print(
        `${out}: ${records.length} records of ${attempts} attempts${rejected === "" ? "" : `; rejected: ${rejected}`}`,
      );
    }
    if (records.length === 0) note("cot: no record was kept; the data card says why");
    if (records.length === 0) return 1;
    return experiment.leftOut > 0 ? 2 : 0;
  });
}
