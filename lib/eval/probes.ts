/**
 * What a model holds, measured apart from what it answers: frozen features of images, log-probabilities of texts, and
 * short answers on other things than names. Nothing here changes the model.
 */
import type { Conversation } from "../processor/conversation";
import { compile } from "../engine/compile";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import { causalAttention, decode, embedTokens, mergeImageFeatures } from "../model/decoder";
import { conversationRow } from "../processor/conversation";
import { promptBatch, type PromptBatch } from "../rollout/prompts";
import { rowBatch } from "../train/batch";
import { rowLogProbs } from "../train/row-log-probs";
import type { Workbench } from "../train/workbench";
import { greedyAnswers } from "./greedy";
import { wilson } from "./intervals";

/** A line of the probes' table: a proportion with its 95 % Wilson interval. */
export interface ProbeRow {
  method: string;
  probe: string;
  split: string;
  n: number;
  correct: number;
  accuracy: number;
  low: number;
  high: number;
  /** What guessing would score. */
  chance: number;
}

/** A proportion as a line of the table; the numbers rounded to six places. */
export function probeRow(
  method: string,
  probe: string,
  split: string,
  right: readonly boolean[],
  chance: number,
): ProbeRow {
  const correct = right.filter(Boolean).length;
  const { low, high } = wilson(correct, right.length);
  const round = (x: number): number => Number(x.toFixed(6));
  return {
    method,
    probe,
    split,
    n: right.length,
    correct,
    accuracy: round(correct / right.length),
    low: round(low),
    high: round(high),
    chance: round(chance),
  };
}

/**
 * Frozen features of an image: the mean of its merged vision output, and the last hidden state of a question about it.
 */
export interface ImageProbe {
  visual: Float32Array;
  hidden: Float32Array;
}

/** Functions that look into one model; `dispose` is the caller's own affair with the parameters. */
export interface Probes {
  /**
   * @param images of the bench
   * @param questions the user turn asked of each: the hidden state is that of the prompt's last token
   */
  features(params: Params, images: readonly string[], questions: readonly string[]): Promise<ImageProbe[]>;
  /** Mean log-probability per predicted token of each dialogue without an image. */
  textLogProbs(params: Params, conversations: readonly Conversation[]): number[];
  /** Greedy answers to user turns about images. */
  answers(
    params: Params,
    images: readonly string[],
    questions: readonly string[],
    maxNewTokens: number,
  ): Promise<string[]>;
}

/**
 * Probes at a bench, in batches of `batchSize` (default 64 equal squares, 1 where images have sizes of their own); the
 * last batch is filled with its last item.
 */
export function createProbes(bench: Workbench, batchSize = bench.images.uniform ? 64 : 1): Probes {
  const { config } = bench;
  const look = compile(
    (params: Params, features: Tensor, batch: PromptBatch, tokensPerImage: number) => {
      const embeds = mergeImageFeatures(embedTokens(params, batch.inputIds), features, batch.featureIndex);
      const attend = causalAttention();
      const hidden = decode(params, config, embeds, batch.positionIds, () => attend);
      return {
        visual: tf.mean(tf.reshape(features, [batchSize, tokensPerImage, config.text.hiddenSize]), 1),
        hidden: tf.gather(tf.reshape(hidden, [-1, config.text.hiddenSize]), batch.last as tf.Tensor1D),
      };
    },
    { name: "probe.features" },
  );
  const score = compile(
    (params: Params, rows: ReturnType<typeof rowBatch>, features: Tensor) =>
      rowLogProbs(params, config, features, rows, 1),
    { name: "probe.text" },
  );
  const decoder = (params: Params): Params =>
    Object.fromEntries(Object.entries(params).filter(([name]) => !name.startsWith("visual.")));
  /** Calls `each` with full batches of indices; those beyond `count` repeat the last. */
  const batchesOf = (count: number): { index: number[]; own: number }[] =>
    Array.from({ length: Math.ceil(count / batchSize) }, (_, b) => ({
      index: Array.from({ length: batchSize }, (__, i) => Math.min(b * batchSize + i, count - 1)),
      own: Math.min(batchSize, count - b * batchSize),
    }));
  const rowsOf = (tensor: Tensor, own: number): Float32Array[] => {
    const width = tensor.shape[1]!;
    const values = tensor.dataSync() as Float32Array;
    return Array.from({ length: own }, (_, i) => values.slice(i * width, (i + 1) * width));
  };
  return {
    features: async (params, images, questions) => {
      if (images.length !== questions.length)
        throw new Error(`probes: ${images.length} images and ${questions.length} questions`);
      const out: ImageProbe[] = [];
      for (const { index, own } of batchesOf(images.length)) {
        const shown = index.map((i) => images[i]);
        await bench.images.load(shown);
        const places = bench.places(shown);
        const padded = bench.features(params, shown);
        const [frames, height, width] = places[0].grid;
        const tokensPerImage = (frames * height * width) / config.vision.spatialMergeSize ** 2; // equal squares, or one image
        const features = tf.slice(padded, 0, batchSize * tokensPerImage);
        const batch = promptBatch(index.map((i, place) => bench.prompt(questions[i], places[place])));
        const seen = look(decoder(params), features, batch, tokensPerImage);
        const [visual, hidden] = [rowsOf(seen.visual, own), rowsOf(seen.hidden, own)];
        visual.forEach((row, i) => out.push({ visual: row, hidden: hidden[i] }));
        disposeTree(padded, features, batch, seen);
      }
      return out;
    },
    textLogProbs: (params, conversations) => {
      const rows = conversations.map((conversation) => {
        if (conversation.image !== null) throw new Error("probes: textLogProbs takes dialogues without an image");
        return { ...conversationRow(conversation, bench.processor, null), image: null };
      });
      const places = (i: number): number => rows[i].predicted.filter(Boolean).length;
      const features = tf.zeros([1, config.text.hiddenSize]);
      const out: number[] = [];
      for (const { index, own } of batchesOf(rows.length)) {
        const batch = rowBatch(
          index.map((i) => [rows[i]]),
          config,
          { lengthBucket: 32, placesBucket: 512 },
        );
        const logProbs = score(decoder(params), batch, features);
        const values = logProbs.dataSync();
        let at = 0;
        for (let i = 0; i < own; i++) {
          const n = places(index[i]);
          let sum = 0;
          for (let k = 0; k < n; k++) sum += values[at + k];
          at += n;
          out.push(sum / n);
        }
        disposeTree(batch, logProbs);
      }
      features.dispose();
      return out;
    },
    answers: async (params, images, questions, maxNewTokens) => {
      const out: string[] = [];
      for (const { index, own } of batchesOf(images.length)) {
        const shown = index.map((i) => images[i]);
        await bench.images.load(shown);
        const places = bench.places(shown);
        const prompts = index.map((i, place) => bench.prompt(questions[i], places[place]));
        const rollouts = greedyAnswers(params, bench, shown, prompts, { maxNewTokens });
        for (let i = 0; i < own; i++) out.push(bench.processor.tokenizer.decode(rollouts[i].tokenIds));
      }
      return out;
    },
  };
}
