/** Stage 1 on files: records about photographs, one image and one answer each. */
import type { Conversation } from "../processor/conversation";
import type { SftRecord } from "../formats/sharegpt";
import { foldIn } from "../util/random";
import { conversationRow } from "../processor/conversation";
import { modelCard } from "./model-card";
import { trainSft, type SftLog } from "../train/sft";
import { limitsOf, openJob, runJob, type Finished, type ImageSources, type Job } from "./job";

/** A record that does not fit, and why. */
export interface LongRecord {
  /** Place in the records given. */
  record: number;
  tokens: number;
}

/** What SFT is told besides its job. */
export interface SftJob extends Job {
  records: readonly SftRecord[];
  /** The records' images by the names they give them. */
  images: ImageSources;
  /** Longest row, tokens (`cutoff_len` of LLaMA-Factory, which cuts; here a longer record is an error or left out). */
  maxLength: number;
  /** Called with the records that are longer, which are left out; without it they are an error. */
  onLong?: (long: readonly LongRecord[]) => void;
}

/** A record as a dialogue, with its system message. */
export const conversationOf = ({ system, image, user, assistant }: SftRecord): Conversation => ({
  ...(system === null ? {} : { system }),
  image,
  turns: [{ user, assistant }],
});

/**
 * Fine-tunes on records and saves the result in `job.out`.
 * @throws Error naming the record, image, file or setting that is wrong
 */
export function sftOnRecords(job: SftJob): Promise<Finished<SftLog>> {
  const { settings, images, maxLength } = job;
  if (settings.sft.replayRows > 0)
    throw new Error("sft.replayRows is for the shipped base, whose pre-training rows they are; set sft.replayRows=0");
  const names = new Set(job.records.map(({ image }) => image));
  const data = { records: job.records, maxLength };
  return runJob<SftLog>(
    job,
    "sft",
    data,
    () => openJob(job, images, limitsOf(settings.sft)),
    (stamp, parameters, steps) =>
      modelCard({
        method: "sft",
        settings: { ...settings, model: job.model },
        stamp,
        parameters,
        images: `${names.size} images`,
        steps,
      }),
    async ({ bench, params, bf16 }, checkpointing, write) => {
      const long: LongRecord[] = [];
      const conversations = job.records.map(conversationOf).filter((conversation, record) => {
        const tokens = conversationRow(conversation, bench.processor, bench.images.grid(conversation.image!)).inputIds
          .length;
        if (tokens > maxLength) long.push({ record, tokens });
        return tokens <= maxLength;
      });
      if (long.length > 0 && !job.onLong)
        throw new Error(
          `record ${long[0].record} has ${long[0].tokens} tokens, ${long.length} records more than the ${maxLength} of --max-length; raise it, lower sft.maxPixels, or skip them (--on-bad-row skip)`,
        );
      if (long.length > 0) job.onLong?.(long);
      return trainSft(params, bench, settings.sft, {
        conversations,
        seed: foldIn(settings.seed, "sft"),
        bf16,
        checkpointing,
        donateInitial: true,
        onStep: (log, total) => {
          write(log);
          return job.onStep?.(log.step, total, `loss ${log.loss.toFixed(3)}`);
        },
      });
    },
  );
}
