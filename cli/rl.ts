/** `rl`: Stage 2 on a checkpoint directory: CLS-RL, TAPO or one of its ablations on the release's parquet. */
import * as path from "node:path";
import { parseArgs } from "node:util";
import { repositoryRoot } from "../lib/util/root";
import { readStage2, type Stage2Row } from "../lib/formats/stage2";
import { engineStats } from "../lib/engine/compile";
import { rlPhases } from "../lib/experiment/plan";
import { rlOnTriplets } from "../lib/experiment/rl-job";
import { RL_METHODS, type RlMethod } from "../lib/train/rl";
import { choiceOf, onBadRowOf } from "./arguments";
import { assertFits, JOB_OPTIONS, JOB_USAGE, jobOf, stepProgress } from "./training-job";

const METHODS = Object.keys(RL_METHODS) as RlMethod[];
const USAGE = `npm run -s fine-r1 -- rl --model DIR --data TRIPLETS.parquet… [--method ${METHODS.join("|")}] ${JOB_USAGE}`;

/** Tokens of a problem with its format instruction and template, about. */
const TEXT_TOKENS = 128;

/**
 * Leaves `model` (or, with `lora.rank` or `--adapter`, `adapter`) with `log.jsonl`, `manifest.json` and TensorBoard's files in
 * `--out` (`data/runs/<method>`). With `--save-steps` a run that was killed goes on when the same command is given again.
 * @returns exit code: 0; 2 where rows were skipped; 1 where an argument, a row or the model is bad
 */
export async function run(args: string[]): Promise<number> {
  try {
    const { values } = parseArgs({ args, options: { ...JOB_OPTIONS, method: { type: "string" } } });
    const onBadRow = onBadRowOf(values["on-bad-row"]);
    const method = choiceOf("method", values.method, METHODS, "tapo");
    const { job, files, settings, config, lora } = jobOf(
      values,
      path.join(repositoryRoot(), "data/runs", method),
      USAGE,
    );
    const rows: Stage2Row[] = [];
    let skipped = 0;
    for (const file of files) {
      const read = await readStage2(file, onBadRow, { decode: true });
      for (const bad of read.skipped) process.stderr.write(`${bad.file}, row ${bad.row}: skipped: ${bad.reason}\n`);
      skipped += read.skipped.length;
      rows.push(...read.rows);
    }
    const shown = stepProgress(method);
    const { result, log, identity } = await rlOnTriplets({
      ...job,
      method,
      rows,
      onStep: shown.onStep,
      plan: ({ imageTokens, imagePatches }) => {
        const sizes = {
          promptTokens: imageTokens + TEXT_TOKENS,
          responseTokens: settings.rl.maxNewTokens,
          imagePatches,
        };
        assertFits(rlPhases(config, settings, lora, sizes), sizes, values.memory);
      },
    });
    shown.finish();
    const summary = {
      result,
      rows: rows.length,
      skipped,
      steps: log.length,
      reward: log[log.length - 1]?.reward ?? null,
      compiled: engineStats().length,
      identity,
    };
    process.stdout.write(
      values.json
        ? `${JSON.stringify(summary)}\n`
        : `${result}: ${summary.steps} steps on ${summary.rows} triplets, ${skipped} skipped, last reward ${summary.reward?.toFixed(3)}, ${summary.compiled} functions compiled\n`,
    );
    return skipped > 0 ? 2 : 0;
  } catch (error) {
    process.stderr.write(`rl: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}
