/** `sft`: Stage 1 on a checkpoint directory: supervised fine-tuning on sharegpt records about photographs. */
import * as path from "node:path";
import { parseArgs } from "node:util";
import { repositoryRoot } from "../lib/util/root";
import { stage1Images } from "../lib/benchmark/photographs/stage1-images";
import { readSharegptFile, type SftRecord } from "../lib/formats/sharegpt";
import { sftPhases } from "../lib/experiment/plan";
import { sftOnRecords } from "../lib/experiment/sft-job";
import { countOf, onBadRowOf } from "./arguments";
import { assertFits, JOB_OPTIONS, JOB_USAGE, jobOf, stepProgress } from "./training-job";

const USAGE = `npm run -s fine-r1 -- sft --model DIR --data RECORDS.json… [--images DIR] [--max-length N] ${JOB_USAGE}`;

/** Tokens of a long rationale with its question, for the plan. */
const ROW_TOKENS = 1024;

/**
 * Leaves `model` (or, with `lora.rank` or `--adapter`, `adapter`) with `log.jsonl`, `manifest.json` and TensorBoard's files in
 * `--out` (`data/runs/sft`). With `--save-steps` a run that was killed goes on when the same command is given again.
 * @returns exit code: 0; 2 where records were skipped; 1 where an argument, a record, an image or the model is bad
 */
export async function run(args: string[]): Promise<number> {
  try {
    const text = { type: "string" } as const;
    const { values } = parseArgs({ args, options: { ...JOB_OPTIONS, images: text, "max-length": text } });
    const onBadRow = onBadRowOf(values["on-bad-row"]);
    const { job, files, settings, config, lora } = jobOf(values, path.join(repositoryRoot(), "data/runs/sft"), USAGE);
    const maxLength = countOf("max-length", values["max-length"], 4096);
    const root = path.resolve(values.images ?? path.join(repositoryRoot(), "data/sets"));
    const find = stage1Images(root);
    const images = new Map<string, string>();
    const records: SftRecord[] = [];
    let skipped = 0;
    for (const file of files) {
      const read = readSharegptFile(file, onBadRow, ({ image }) => {
        const found = find(image);
        if ("file" in found) images.set(image, found.file);
        return "reason" in found ? found.reason : null;
      });
      for (const row of read.skipped) process.stderr.write(`${row.file}, line ${row.line}: skipped: ${row.reason}\n`);
      skipped += read.skipped.length;
      records.push(...read.records);
    }
    const shown = stepProgress("SFT");
    const { result, log, identity } = await sftOnRecords({
      ...job,
      records,
      images,
      maxLength,
      onStep: shown.onStep,
      plan: ({ imageTokens, imagePatches }) => {
        // rows of a rationale and its prompt, at most as long as is allowed
        const sizes = {
          promptTokens: imageTokens,
          responseTokens: Math.max(0, Math.min(maxLength - imageTokens, ROW_TOKENS)),
          imagePatches,
        };
        assertFits(sftPhases(config, settings, lora, sizes), sizes, values.memory);
      },
      onLong:
        onBadRow === "stop"
          ? undefined
          : (long) => {
              skipped += long.length;
              for (const { record, tokens } of long)
                process.stderr.write(
                  `record ${record} (${records[record].image}): skipped: ${tokens} tokens, more than --max-length ${maxLength}\n`,
                );
            },
    });
    shown.finish();
    const summary = {
      result,
      records: records.length,
      skipped,
      steps: log.length,
      loss: log[log.length - 1]?.loss ?? null,
      identity,
    };
    process.stdout.write(
      values.json
        ? `${JSON.stringify(summary)}\n`
        : `${result}: ${summary.steps} steps on ${summary.records} records, ${skipped} skipped, last loss ${summary.loss?.toFixed(4)}\n`,
    );
    return skipped > 0 ? 2 : 0;
  } catch (error) {
    process.stderr.write(`sft: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}
