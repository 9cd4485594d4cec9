/** `rl`: Stage 2 on a checkpoint directory: CLS-RL, TAPO or one of its ablations on the release's parquet. */
import * as path from "node:path";
import { repositoryRoot } from "../lib/util/root";
import { readStage2, type Stage2Row } from "../lib/formats/stage2";
import { engineStats } from "../lib/engine/compile";
import type { ImageSizes } from "../lib/experiment/job";
import { rlPhases } from "../lib/experiment/plan";
import { rlOnTriplets } from "../lib/experiment/rl-job";
import type { OnBadRow } from "../lib/util/lines";
import type { RlOptions } from "./commands/rl";
import { note, print, printJson } from "./output";
import { assertFits, jobOf, stepProgress, type OpenedJob } from "./training-job";

/** Tokens of a problem with its format instruction and template, about. */
const TEXT_TOKENS = 128;

/** Triplets of all files, every image decoded. @throws Error under `stop`, naming file and row of one that cannot be used */
async function readTriplets(
  files: readonly string[],
  onBadRow: OnBadRow,
): Promise<{ rows: Stage2Row[]; skipped: number }> {
  const rows: Stage2Row[] = [];
  let skipped = 0;
  for (const file of files) {
    const read = await readStage2(file, onBadRow, { decode: true });
    for (const bad of read.skipped) note(`${bad.file}, row ${bad.row}: skipped: ${bad.reason}`);
    skipped += read.skipped.length;
    rows.push(...read.rows);
  }
  return { rows, skipped };
}

/** @throws Error where the job does not fit in memory */
function checkMemory({ config, settings, lora }: OpenedJob, image: ImageSizes, memory: number | undefined): void {
  const { imageTokens, imagePatches } = image;
  const sizes = { promptTokens: imageTokens + TEXT_TOKENS, responseTokens: settings.rl.maxNewTokens, imagePatches };
  assertFits(rlPhases(config, settings, lora, sizes), sizes, memory);
}

/**
 * Leaves `model` (or, with `lora.rank` or `--adapter`, `adapter`) with `log.jsonl`, `manifest.json` and TensorBoard's files in
 * `--out`. With `--save-steps` a run that was killed goes on when the same command is given again.
 * @returns exit code: 0; 2 where rows were skipped
 * @throws Error where an option, a row or the model is bad
 */
export async function run(options: RlOptions): Promise<number> {
  const { method, onBadRow, memory, json } = options;
  const opened = jobOf(options, options.out ?? path.join(repositoryRoot(), "data/runs", method));
  const { rows, skipped } = await readTriplets(opened.files, onBadRow);
  const shown = stepProgress(method);
  const { result, log, identity } = await rlOnTriplets({
    ...opened.job,
    method,
    rows,
    onStep: shown.onStep,
    plan: (largest) => checkMemory(opened, largest, memory),
  });
  shown.finish();
  const reward = log[log.length - 1]?.reward ?? null;
  const compiled = engineStats().length;
  if (json) printJson({ result, rows: rows.length, skipped, steps: log.length, reward, compiled, identity });
  else
    print(
      `${result}: ${log.length} steps on ${rows.length} triplets, ${skipped} skipped, last reward ${reward?.toFixed(3)}, ${compiled} functions compiled`,
    );
  return skipped > 0 ? 2 : 0;
}
