/** ms-swift trains an export of Stage 1; the same is trained here. */
import { readdirSync, rmSync } from "node:fs";
import * as path from "node:path";
import type { Experiment } from "../../lib/experiment/types";
import { writeExport } from "../../lib/export/write";
import { besideLineBreak, hfSteps } from "./hf-steps";
import { runPython, scratch, versionsOf } from "./python";
import type { Training } from "./report";

/** The only checkpoint of a training. @throws Error where there is none, or several */
export function checkpointIn(folder: string): string {
  const names = readdirSync(folder).filter((name) => /^checkpoint-\d+$/.test(name));
  if (names.length !== 1) throw new Error(`interop: ${folder}: ${names.length} checkpoints, one expected`);
  return path.join(folder, names[0]);
}

/** Runs the export with a template of the tiny base's image tokens, which no published Qwen2.5-VL needs. */
export async function compareSwift(experiment: Experiment, python: string): Promise<Training> {
  const dir = path.join(scratch, "swift-export");
  rmSync(dir, { recursive: true, force: true }); // an export does not replace what was trained in it
  await writeExport(experiment, "swift", dir, { gpus: 1 });
  const plugin = ["--external_plugins", path.join(__dirname, "swift_base.py"), "--template", "fine_r1_base"];
  runPython("swift", python, ["-m", "swift.cli.main", "sft", "sft.yaml", ...plugin], dir);
  return besideLineBreak(experiment, hfSteps(checkpointIn(path.join(dir, "output/sft"))), {
    engine: "ms-swift",
    versions: versionsOf(python, ["ms-swift", "transformers", "torch"]),
    notes: [
      "ms-swift has the published Qwen2.5-VL's ids of image tokens and its 28 x 28 pixels a token in its code. A template of `tools/interop/swift_base.py` gives it the tiny base's; a published checkpoint needs none.",
    ],
  });
}
