/**
 * Requests in the order they came: images are decoded beside the model's work, a prompt is read as soon as a slot is
 * free, its answers join the batch that is being decoded, and one step follows the other while any answer is open.
 */
import { nextTurn } from "../util/abort";
import type { Tensor } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import { disposeImage, type ProcessedImage } from "../processor/image-processor";
import { createGate, waitMs } from "../rollout/request-gate";
import { ApiError, asApiError } from "./api-error";
import type { Answer } from "./answer";
import type { Batch, ReadPrompt } from "./batch";
import type { HostPrompt } from "./prompt";

/** A request whose prompt is on the host. */
export interface Job {
  prompt: HostPrompt;
  answers: readonly Answer[];
}

/** Decodes the answers of many requests at once. */
export interface Scheduler {
  /** Requests that wait or are decoded. */
  readonly load: number;
  /**
   * Prepares a request in its turn and decodes its answers; settles when the last has ended.
   * @param signal drops the request
   * @throws ApiError where too many wait, what `prepare` threw, or 500 where the model failed
   */
  run(prepare: () => Promise<Job>, signal: AbortSignal): Promise<void>;
  /** Runs something while nothing is decoded; requests that wait begin after it. */
  alone<T>(work: () => T): Promise<T>;
  /** Drops all requests with this error, and takes no more. */
  stop(error: ApiError): void;
  /** Resolves once nothing is decoded any more. */
  idle(): Promise<void>;
}

/** Prompts that are prepared at a time: their pixels are in memory until they are read. */
const PREPARED = 4;

/** A job in the scheduler. */
interface Entry {
  job: Job;
  /** Answers that have no slot yet. */
  left: Answer[];
  read: ReadPrompt | null;
  /** The prompt's images and cache are needed no more. */
  joined(): void;
  /** It has ended, well or with an error. */
  end(error?: unknown): void;
}

const release = (entry: Entry): void => {
  if (entry.read) disposeTree(entry.read.keys, entry.read.values);
  entry.read = null;
};

/** @param encode features of a prompt's images; the scheduler disposes them */
export function createScheduler(
  batch: Batch,
  encode: (images: readonly ProcessedImage[]) => Tensor,
  mostWaiting: number,
): Scheduler {
  const gate = createGate({ concurrency: PREPARED, requestsPerMinute: 0, sleep: waitMs });
  const waiting: Entry[] = [];
  const decoding = new Set<Entry>();
  const stopping = new AbortController();
  /** What waits until nothing is decoded. */
  const apart: (() => void)[] = [];
  let load = 0;
  let running: Promise<void> | null = null;

  const isOver = ({ job }: Entry): boolean => job.answers.every((answer) => !answer.open);

  function finish(entry: Entry, error?: unknown): void {
    entry.job.answers.forEach((answer) => answer.drop());
    release(entry);
    decoding.delete(entry);
    const place = waiting.indexOf(entry);
    if (place >= 0) waiting.splice(place, 1);
    entry.joined();
    entry.end(error);
  }

  /** Reads the prompt where that is still to be done, and gives its answers the slots there are. */
  function admit(entry: Entry): void {
    if (entry.read === null) {
      const features = encode(entry.job.prompt.images);
      try {
        entry.read = batch.read(entry.job.prompt.row, features);
      } finally {
        features.dispose();
      }
      decoding.add(entry);
    }
    const joining = entry.left.splice(0, batch.free);
    joining.forEach((answer) => answer.choose(entry.read!.logits, 0));
    batch.join(entry.read, joining);
  }

  function admitWaiting(): void {
    while (waiting.length > 0 && batch.free > 0) {
      const [entry] = waiting;
      if (apart.length > 0 && entry.read === null) return;
      try {
        admit(entry);
      } catch (error) {
        finish(entry, error);
        continue;
      }
      if (entry.left.length > 0) continue;
      waiting.shift();
      release(entry);
      entry.joined();
    }
  }

  async function loop(): Promise<void> {
    while (waiting.length > 0 || decoding.size > 0 || apart.length > 0) {
      if (decoding.size === 0) apart.splice(0).forEach((work) => work());
      admitWaiting();
      try {
        batch.step();
      } catch (error) {
        for (const entry of [...decoding]) finish(entry, error);
        batch.clear();
      }
      for (const entry of decoding) if (isOver(entry)) finish(entry);
      await nextTurn();
    }
    batch.clear(); // the last ones may have been dropped
  }
  const wake = (): void => {
    running ??= loop().finally(() => (running = null));
  };

  const enter = (job: Job, signal: AbortSignal, joined: () => void): Promise<void> =>
    new Promise((resolve, reject) => {
      const drop = (): void => finish(entry, signal.reason);
      const entry: Entry = {
        job,
        left: [...job.answers],
        read: null,
        joined,
        end: (error) => {
          signal.removeEventListener("abort", drop);
          if (error === undefined) resolve();
          else reject(error as Error);
        },
      };
      signal.addEventListener("abort", drop, { once: true });
      waiting.push(entry);
      wake();
    });

  return {
    get load() {
      return load;
    },
    run: async (prepare, signal) => {
      if (stopping.signal.aborted) throw stopping.signal.reason;
      if (load >= mostWaiting)
        throw new ApiError(
          429,
          `${load} requests wait or are answered already; send it again later`,
          null,
          "queue_full",
        );
      const either = AbortSignal.any([signal, stopping.signal]);
      load++;
      try {
        let ended: Promise<void> = Promise.resolve();
        await gate.run(async () => {
          const job = await prepare();
          try {
            either.throwIfAborted();
            await new Promise<void>((joined) => {
              ended = enter(job, either, joined);
              ended.catch(() => undefined); // awaited below
            });
          } finally {
            job.prompt.images.forEach((image) => disposeImage(image));
          }
        }, either);
        await ended;
      } catch (error) {
        throw asApiError(error);
      } finally {
        load--;
      }
    },
    alone: (work) =>
      new Promise((resolve, reject) => {
        if (stopping.signal.aborted) return reject(stopping.signal.reason as Error); // its parameters may be gone
        apart.push(() => {
          try {
            resolve(work());
          } catch (error) {
            reject(error as Error);
          }
        });
        wake();
      }),
    stop: (error) => stopping.abort(error),
    idle: async () => {
      await running;
    },
  };
}
