/** `sft`: Stage 1 on a checkpoint directory: supervised fine-tuning on sharegpt records about photographs. */
import * as path from "node:path";
import { repositoryRoot } from "../lib/util/root";
import { stage1Images } from "../lib/benchmark/photographs/stage1-images";
import { readSharegptFile, type SftRecord } from "../lib/formats/sharegpt";
import { sftPhases } from "../lib/experiment/plan";
import type { ImageSizes } from "../lib/experiment/job";
import { sftOnRecords, type LongRecord } from "../lib/experiment/sft-job";
import type { SftOptions } from "./commands/sft";
import { note, print, printJson } from "./output";
import { assertFits, jobOf, stepProgress, type OpenedJob } from "./training-job";

/** Tokens of a long rationale with its question, for the plan. */
const ROW_TOKENS = 1024;

interface Records {
  records: SftRecord[];
  /** Files by the names that records give their images. */
  images: Map<string, string>;
  skipped: number;
}

/** Records of all files with their images. @throws Error under `stop`, naming file and line of a record that cannot be used */
function readRecords(files: readonly string[], { images: folder, onBadRow }: SftOptions): Records {
  const find = stage1Images(path.resolve(folder ?? path.join(repositoryRoot(), "data/sets")));
  const images = new Map<string, string>();
  const records: SftRecord[] = [];
  let skipped = 0;
  for (const file of files) {
    const read = readSharegptFile(file, onBadRow, ({ image }) => {
      const found = find(image);
      if ("file" in found) images.set(image, found.file);
      return "reason" in found ? found.reason : null;
    });
    for (const row of read.skipped) note(`${row.file}, line ${row.line}: skipped: ${row.reason}`);
    skipped += read.skipped.length;
    records.push(...read.records);
  }
  return { records, images, skipped };
}

/** Checks the memory of rows of a rationale and its prompt, at most as long as is allowed. @throws Error where they do not fit */
function checkMemory({ config, settings, lora }: OpenedJob, options: SftOptions, image: ImageSizes): void {
  const { imageTokens, imagePatches } = image;
  const responseTokens = Math.max(0, Math.min(options.maxLength - imageTokens, ROW_TOKENS));
  const sizes = { promptTokens: imageTokens, responseTokens, imagePatches };
  assertFits(sftPhases(config, settings, lora, sizes), sizes, options.memory);
}

/**
 * Leaves `model` (or, with `lora.rank` or `--adapter`, `adapter`) with `log.jsonl`, `manifest.json` and TensorBoard's files in
 * `--out`. With `--save-steps` a run that was killed goes on when the same command is given again.
 * @returns exit code: 0; 2 where records were skipped
 * @throws Error where an option, a record, an image or the model is bad
 */
export async function run(options: SftOptions): Promise<number> {
  const { maxLength, onBadRow } = options;
  const opened = jobOf(options, options.out ?? path.join(repositoryRoot(), "data/runs/sft"));
  const { records, images, skipped: unread } = readRecords(opened.files, options);
  let skipped = unread;
  const skipLong = (long: readonly LongRecord[]): void => {
    skipped += long.length;
    for (const { record, tokens } of long)
      note(
        `record ${record} (${records[record].image}): skipped: ${tokens} tokens, more than --max-length ${maxLength}`,
      );
  };
  const shown = stepProgress("SFT");
  const { result, log, identity } = await sftOnRecords({
    ...opened.job,
    records,
    images,
    maxLength,
    onStep: shown.onStep,
    plan: (largest) => checkMemory(opened, options, largest),
    onLong: onBadRow === "skip" ? skipLong : undefined,
  });
  shown.finish();
  const loss = log[log.length - 1]?.loss ?? null;
  if (options.json) printJson({ result, records: records.length, skipped, steps: log.length, loss, identity });
  else
    print(
      `${result}: ${log.length} steps on ${records.length} records, ${skipped} skipped, last loss ${loss?.toFixed(4)}`,
    );
  return skipped > 0 ? 2 : 0;
}
