/** `cot`: the records of Stage 1, by the teacher that is chosen. */
import * as path from "node:path";
import { cotData } from "../lib/experiment/cot";
import type { CotOptions } from "./commands/cot";
import { settingsOf, withExperiment } from "./experiment";
import { note, print, printJson } from "./output";

/** @returns exit code: 0; 2 where images or records were left out; 1 where no record was kept */
export function run(options: CotOptions): Promise<number> {
  const named = options.modelName === undefined ? [] : [`teacherModel=${options.modelName}`];
  return withExperiment(settingsOf(options, named), "teacher", async (experiment, watch) => {
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
