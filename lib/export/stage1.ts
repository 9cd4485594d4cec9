/** Stage-1 records of a run for other engines. */
import { assertTrainable } from "../benchmark/roles";
import { cotData } from "../experiment/cot";
import { conversationOf, sftBench } from "../experiment/sft";
import type { Watch } from "../experiment/stage";
import type { Experiment } from "../experiment/types";
import type { SftRecord } from "../formats/sharegpt";
import { conversationMessages, conversationRow } from "../processor/conversation";
import type { Message } from "../processor/chat-template";
import type { Processor } from "../processor/processor";
import type { SftMethod } from "../train/methods";
import { imageFolder, type ImageFolder } from "./images";

/** A record whose image is a file of the export. */
export type ExportedRecord = SftRecord;

/**
 * The records that this run's Stage 1 trains on, images written into the folder: those of training images alone, no
 * longer than `sft.maxLength` (other engines cut longer ones off).
 * @throws Error where no record is left, or one is of an image that is not trained on; under `onBadRow=stop` at one
 * that is too long
 */
export async function stage1Records(
  experiment: Experiment,
  folder: string,
  method: SftMethod,
  watch: Watch,
): Promise<{ records: ExportedRecord[]; images: ImageFolder }> {
  const { settings, benchmark, say } = experiment;
  const data = await cotData(experiment, watch);
  assertTrainable(
    benchmark,
    data.records.map(({ record }) => record.image).filter((image) => !data.files.has(image)),
  );
  const { bench } = await sftBench(experiment, data);
  const files = new Map(benchmark.images("fewshot").map(({ id, file }) => [id, file]));
  const images = imageFolder(folder, benchmark, settings.sft.alpha);
  const records: ExportedRecord[] = [];
  for (const { record, direct } of data.records) {
    const chosen = method === "sft" ? record : direct;
    const { inputIds } = conversationRow(conversationOf(chosen), bench.processor, bench.images.grid(chosen.image));
    if (inputIds.length > settings.sft.maxLength) {
      const what = `the record about ${chosen.image} has ${inputIds.length} tokens, more than sft.maxLength=${settings.sft.maxLength}`;
      if (settings.onBadRow === "stop") throw new Error(`${what}; raise it, or leave such records out (onBadRow=skip)`);
      say(`${what}; left out`);
      continue;
    }
    const own = data.files.get(chosen.image) ?? (benchmark.squares ? null : files.get(chosen.image)!);
    records.push({ ...chosen, image: await images.add(chosen.image, own ?? { square: chosen.image }) });
  }
  if (records.length === 0)
    throw new Error(`export: none of ${data.attempts} rationales was kept; cot/data-card.json of the run says why`);
  return { records, images };
}

/** What a record's text is to the model, the image as a placeholder. */
export function renderedRecord(record: SftRecord, { template }: Pick<Processor, "template">): string {
  return template(conversationMessages(conversationOf(record)), false);
}

/** A record as messages; content in parts, since the image may stand anywhere in the user's text. */
export const recordMessages = (record: SftRecord): Message[] => conversationMessages(conversationOf(record));
