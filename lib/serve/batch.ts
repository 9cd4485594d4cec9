/**
 * A decoding batch that answers join and leave while others in it go on. A slot's history is what its row attends to:
 * the prompt and all tokens of full chunks, wherever they stand, for a key carries its position with it and a mask says
 * which places hold one. When a chunk is full, or an answer joins, the histories are put together anew (`settle`).
 */
import { MASKED } from "../engine/attention";
import { roundedUp } from "../engine/buckets";
import { compile, type CompileOptions } from "../engine/compile";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import type { ModelConfig } from "../model/config";
import { decode, embedTokens, lmHead, mergeImageFeatures, prefill } from "../model/decoder";
import { decodeAttention, type DecodeCache, type LayerTensors } from "../rollout/attention";
import { nextPosition, promptBatch, type PromptBatch } from "../rollout/prompts";
import { createRounding } from "../rollout/rounded";
import type { PromptRow } from "../rollout/types";
import { boundTraces } from "./traces";

/** A prompt that was read: what its answers begin with. */
export interface ReadPrompt {
  /** Logits of the first token, `[V]`. */
  logits: Float32Array;
  /** `[1,kv,T,hd]` per layer, of which the first `length` places count. */
  keys: LayerTensors;
  values: LayerTensors;
  length: number;
  /** Position of the first token after it. */
  position: number;
}

/** An answer as the batch sees it. */
export interface BatchRow {
  /** Tokens so far, at least one; `choose` adds the next. */
  readonly tokenIds: readonly number[];
  /** Whether it goes on. A row that does not leaves its slot. */
  readonly open: boolean;
  /** Takes the next token from a row of logits that begins at `start`. */
  choose(logits: Float32Array, start: number): void;
}

/** A batch of at most so many rows. */
export interface Batch {
  /** Slots without an open row. */
  readonly free: number;
  /** Reads a prompt. @param features `[N,hiddenSize]`, rows of image features it points into */
  read(prompt: PromptRow, features: Tensor): ReadPrompt;
  /** Puts answers to a prompt, whose first tokens are chosen, into free slots. @throws Error where there are too few */
  join(prompt: ReadPrompt, rows: readonly BatchRow[]): void;
  /** One token more for every open row. */
  step(): void;
  /** Goes on with other parameters. @throws Error while a row is open */
  use(params: Params): void;
  /** Frees all slots; rows that are open lose their place. */
  clear(): void;
  /** The same, and the weights that were made for it. */
  dispose(): void;
}

const CHUNK = 16;
/** Histories are padded to a multiple of this, so that few shapes are compiled. */
const HISTORY_BUCKET = 64;

interface Slot {
  row: BatchRow;
  /** Position of the row's latest token, which the next step reads. */
  position: number;
  /** Places of its history that hold a token. */
  held: number;
}

/** A new slot, and where its history comes from: an old slot of this batch, or a prompt (null). */
interface Source {
  slot: Slot;
  from: number | null;
}

/**
 * Fewer rows than this are multiplied in another order of sums: with at least so many a row's numbers are the same to
 * the bit whatever else is in the batch (with this project's kernels, and heads of a multiple of 16).
 */
const LEAST_WIDTH = 4;

/** Rows that a step computes for so many open ones: a power of two, so that few shapes are compiled. */
const widthFor = (open: number): number => Math.max(LEAST_WIDTH, 2 ** Math.ceil(Math.log2(open)));

/**
 * @param params the model's, an adapter's among them; the caller's
 * @param slots rows that are decoded at once, at most
 */
export function createBatch(config: ModelConfig, params: Params, slots: number, options: CompileOptions = {}): Batch {
  const { numHiddenLayers: layers, numKeyValueHeads: kv, headDim } = config.text;
  const round = createRounding(config, options);
  const textOf = (all: Params): Params =>
    Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith("visual.")));
  let text = textOf(params);
  let rounded = round(text);

  const readCompiled = compile(
    (weights: Params, batch: PromptBatch, features: Tensor) => {
      const embeds = mergeImageFeatures(embedTokens(weights, batch.inputIds), features, batch.featureIndex);
      const { states, keys, values } = prefill(weights, config, embeds, batch.positionIds, batch);
      return { logits: lmHead(weights, config, states), keys, values };
    },
    { name: "serve.prefill", ...options },
  );
  const stepCompiled = compile(
    (weights: Params, cache: DecodeCache, tokens: Tensor, positions: Tensor) => {
      const written: { keys: LayerTensors; values: LayerTensors } = { keys: [], values: [] };
      const attention = decodeAttention(config, cache, (layer, key, value) => {
        written.keys[layer] = tf.keep(key);
        written.values[layer] = tf.keep(value);
      });
      const positionIds = tf.tile(tf.reshape(positions, [1, -1, 1]), [3, 1, 1]);
      const hidden = decode(weights, config, embedTokens(weights, tokens), positionIds, attention);
      return { logits: lmHead(weights, config, hidden), written };
    },
    { name: "serve.decode", ...options },
  );

  /** The slots that a step computes, with their rows; null where one is idle. */
  let places: (Slot | null)[] = [];
  /** Null while no row is open. */
  let history: { keys: LayerTensors; values: LayerTensors; mask: Tensor } | null = null;
  let chunk: { keys: LayerTensors; values: LayerTensors } | null = null;
  /** Places of the chunk that hold a token of each row that was there when it was begun. */
  let filled = 0;

  const release = (): void => {
    disposeTree(history, chunk);
    [history, chunk, filled, places] = [null, null, 0, []];
  };
  const isOpen = (slot: Slot | null): slot is Slot => slot !== null && slot.row.open;

  /** Places of a layer's histories in `sources`, one below the other: old histories, the chunk, the prompt. */
  function placesOf(sources: readonly (Source | null)[], length: number, prompt: ReadPrompt | null): Int32Array {
    const old = history?.keys[0].shape[2] ?? 0;
    const chunkAt = places.length * kv * old;
    const promptAt = chunkAt + places.length * kv * CHUNK;
    const promptLength = prompt?.keys[0].shape[2] ?? 0;
    const index = new Int32Array(sources.length * kv * length);
    sources.forEach((source, s) => {
      if (source === null) return;
      for (let head = 0; head < kv; head++) {
        const out = (s * kv + head) * length;
        const { slot, from } = source;
        if (from === null) {
          for (let t = 0; t < slot.held; t++) index[out + t] = promptAt + head * promptLength + t;
          continue;
        }
        const before = slot.held - filled;
        for (let t = 0; t < before; t++) index[out + t] = (from * kv + head) * old + t;
        for (let t = 0; t < filled; t++) index[out + before + t] = chunkAt + (from * kv + head) * CHUNK + t;
      }
    });
    return index;
  }

  /** Histories put together anew: open rows with their chunk's tokens behind them, and those that join. */
  function settle(prompt: ReadPrompt | null = null, joining: readonly BatchRow[] = []): void {
    const sources: (Source | null)[] = [
      ...places.flatMap((slot, from) => (isOpen(slot) ? [{ slot: { ...slot, held: slot.held + filled }, from }] : [])),
      ...joining.map((row) => ({ slot: { row, position: prompt!.position, held: prompt!.length }, from: null })),
    ];
    const width = widthFor(sources.length);
    while (sources.length < width) sources.push(null);
    const length = roundedUp(Math.max(...sources.map((source) => source?.slot.held ?? 0)), HISTORY_BUCKET);
    const index = tf.tensor1d(placesOf(sources, length, prompt), "int32");
    const gathered = (of: "keys" | "values"): LayerTensors =>
      Array.from({ length: layers }, (_, layer) =>
        tf.tidy(() => {
          const parts = [history?.[of][layer], chunk?.[of][layer], prompt?.[of][layer]].flatMap((x) =>
            x === undefined ? [] : [tf.reshape(x, [-1, headDim])],
          );
          return tf.reshape(tf.gather(parts.length === 1 ? parts[0] : tf.concat(parts, 0), index), [
            width,
            kv,
            length,
            headDim,
          ]);
        }),
      );
    const mask = new Float32Array(width * length).fill(MASKED);
    sources.forEach((source, s) => source && mask.fill(0, s * length, s * length + source.slot.held));
    const settled = {
      keys: gathered("keys"),
      values: gathered("values"),
      mask: tf.tensor4d(mask, [width, 1, 1, length]),
    };
    index.dispose();
    release();
    history = settled;
    const empty = (): LayerTensors => Array.from({ length: layers }, () => tf.fill([width, kv, CHUNK, headDim], 0)); // each in memory of its own
    chunk = { keys: empty(), values: empty() };
    places = sources.map((source) => source?.slot ?? null);
  }

  /** Logits of the next token, `[width * V]`; its keys and values are in the chunk after. */
  function decodeOne(): Float32Array {
    const inSlots = (value: (slot: Slot) => number): Tensor =>
      tf.tensor1d(
        places.map((slot) => (slot === null ? 0 : value(slot))),
        "int32",
      );
    const { keys: promptKeys, values: promptValues, mask: promptMask } = history!;
    const { keys: chunkKeys, values: chunkValues } = chunk!;
    const tokens = inSlots(({ row }) => row.tokenIds[row.tokenIds.length - 1]);
    const positions = inSlots(({ position }) => position);
    const slot = tf.scalar(filled, "int32");
    const past = { pastKeys: [], pastValues: [] };
    const cache = { promptKeys, promptValues, promptMask, ...past, chunkKeys, chunkValues, slot };
    boundTraces("serve.decode");
    try {
      const { logits, written } = stepCompiled(rounded.params, cache, tokens, positions);
      disposeTree(chunk);
      chunk = written;
      filled++;
      const scores = logits.dataSync() as Float32Array;
      logits.dispose();
      return scores;
    } finally {
      disposeTree(tokens, positions, slot);
    }
  }

  const free = (): number => slots - places.filter(isOpen).length;
  return {
    get free() {
      return free();
    },
    read: (row, features) => {
      boundTraces("serve.prefill");
      const batch = promptBatch([row]);
      try {
        const { logits, keys, values } = readCompiled(text, batch, features);
        const read = { logits: logits.dataSync() as Float32Array, keys, values };
        logits.dispose();
        return { ...read, length: row.inputIds.length, position: nextPosition(row) };
      } finally {
        disposeTree(batch);
      }
    },
    join: (prompt, rows) => {
      const going = rows.filter((row) => row.open);
      if (going.length > free()) throw new Error(`batch: ${going.length} rows for ${free()} free slots`);
      if (going.length > 0) settle(prompt, going);
    },
    step: () => {
      if (!places.some(isOpen)) return release();
      if (filled === CHUNK) settle();
      const scores = decodeOne();
      places.forEach((slot, s) => {
        if (!isOpen(slot)) return;
        slot.position++;
        slot.row.choose(scores, s * config.text.vocabSize);
      });
      if (!places.some(isOpen)) release();
    },
    use: (other) => {
      if (places.some(isOpen)) throw new Error("batch: other parameters while a row is open");
      release();
      disposeTree(rounded.made);
      text = textOf(other);
      rounded = round(text);
    },
    clear: release,
    dispose: () => {
      release();
      disposeTree(rounded.made);
    },
  };
}
