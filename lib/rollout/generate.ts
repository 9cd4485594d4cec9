/**
 * Generation: the prompts are read once (prefill), each prompt's cache is shared by its group of samples, and tokens are
 * produced one compiled call at a time. A row's own keys and values live in chunks: only the chunk being filled is
 * rewritten each step; full chunks are joined to the past, and there rows that ended leave the batch (`slots.ts`).
 */
import { compile, type CompileOptions } from "../engine/compile";
import { foldIn, random } from "../engine/random";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree, flatten } from "../engine/tree";
import type { ModelConfig } from "../model/config";
import { decode, embedTokens, lmHead, MASKED, mergeImageFeatures, prefill } from "../model/decoder";
import { decodeAttention, type DecodeCache, type LayerTensors } from "./attention";
import { nextPosition, promptBatch, type PromptBatch } from "./prompts";
import { logProbOf, sampleFromLogits, sampleToken, type LogitsOptions } from "./sample";
import { firstSlots, packSlots } from "./slots";
import type { PromptRow, Rollout } from "./types";

/** Settings of one `generate` call. */
export interface GenerateOptions {
  /** Samples per prompt. */
  numGenerations: number;
  maxNewTokens: number;
  /** Divides the logits; log-probs are of the tempered softmax. Ignored for the choice when greedy. */
  temperature: number;
  topP: number;
  greedy?: boolean;
  eosTokenIds: readonly number[];
  bannedTokenIds: readonly number[];
  seed: number;
  /** Number of the first prompt in a longer list: draws are those of the list as one call. Default 0. */
  firstPrompt?: number;
  /** Only the k most probable tokens; 0 (default) for all. */
  topK?: number;
  /** Penalty on tokens of prompt and response (`LogitsOptions`); 1 (default) for none. */
  repetitionPenalty?: number;
  /** Log-probs under the tempered softmax (default), or under the model's own. */
  logProbsOf?: "tempered" | "model";
  /** Called after each produced token with how many rows are still open, and the rows so far. */
  onToken?: (step: number, openRows: number, rollouts: readonly Rollout[]) => void;
}

/** Image features `[N, hiddenSize]` and the prompts that point into them. */
export interface GenerateInputs {
  prompts: readonly PromptRow[];
  features: Tensor;
}

/** A generator holds the compiled functions of one model configuration. */
export interface Generator {
  /** @throws Error where a prompt is empty or the probabilities are not numbers. */
  generate(params: Params, inputs: GenerateInputs, options: GenerateOptions): Rollout[];
}

const CHUNK = 16;

function textParams(params: Params): Params {
  return Object.fromEntries(Object.entries(params).filter(([name]) => !name.startsWith("visual.")));
}

/** Rows `index` of every tensor of `tree`, along its first axis. */
function takeRows<T>(tree: T, index: readonly number[]): T {
  const { leaves, rebuild } = flatten(tree);
  const rows = tf.tensor1d([...index], "int32");
  const taken = leaves.map((leaf) => tf.gather(leaf, rows));
  rows.dispose();
  return rebuild(taken) as T;
}

/** A generator for `config`; its compiled functions are cached by shape across calls. */
export function createGenerator(config: ModelConfig, options: CompileOptions = {}): Generator {
  const { numHiddenLayers: layers, numKeyValueHeads: kv, headDim, hiddenSize } = config.text;

  /** Probabilities of the next token; its logits where there is no temperature. */
  const probabilities = (params: Params, hidden: Tensor, temperature: Tensor | null): Tensor => {
    const logits = lmHead(params, config, hidden);
    return temperature ? tf.softmax(tf.div(logits, temperature)) : logits;
  };

  const read = compile(
    (params: Params, batch: PromptBatch, features: Tensor, temperature: Tensor | null) => {
      const embeds = mergeImageFeatures(embedTokens(params, batch.inputIds), features, batch.featureIndex);
      const { hidden, keys, values } = prefill(params, config, embeds, batch.positionIds);
      const last = tf.gather(tf.reshape(hidden, [-1, hiddenSize]), batch.last as tf.Tensor1D);
      return { probabilities: probabilities(params, last, temperature), keys, values };
    },
    { name: "rollout.prefill", ...options },
  );

  const step = compile(
    (params: Params, cache: DecodeCache, tokens: Tensor, positions: Tensor, temperature: Tensor | null) => {
      const rows = tokens.shape[0];
      const keys: LayerTensors = [];
      const values: LayerTensors = [];
      const attention = decodeAttention(config, cache, (layer, key, value) => {
        keys[layer] = tf.keep(key);
        values[layer] = tf.keep(value);
      });
      const positionIds = tf.tile(tf.reshape(positions, [1, rows, 1]), [3, 1, 1]);
      const hidden = decode(params, config, embedTokens(params, tf.reshape(tokens, [rows, 1])), positionIds, attention);
      return { probabilities: probabilities(params, tf.reshape(hidden, [rows, hiddenSize]), temperature), keys, values };
    },
    { name: "rollout.decode", ...options },
  );

  const emptyChunk = (rows: number): LayerTensors => Array.from({ length: layers }, () => tf.zeros([rows, kv, CHUNK, headDim]));

  function generate(allParams: Params, { prompts, features }: GenerateInputs, settings: GenerateOptions): Rollout[] {
    if (prompts.length === 0) return [];
    const params = textParams(allParams);
    const { numGenerations: n, maxNewTokens, temperature, eosTokenIds } = settings;
    const { topK = 0, repetitionPenalty = 1, logProbsOf = "tempered" } = settings;
    const sampling: LogitsOptions = { topP: settings.topP, bannedTokenIds: settings.bannedTokenIds, greedy: settings.greedy ?? false, temperature, topK, repetitionPenalty };
    const onLogits = topK > 0 || repetitionPenalty !== 1 || logProbsOf === "model";
    const rows = prompts.length * n;
    const rollouts: Rollout[] = [];
    const streams = Array.from({ length: rows }, (_, row) => {
      const promptIndex = Math.floor(row / n);
      rollouts.push({ promptIndex, sampleIndex: row % n, tokenIds: [], logProbs: [], finished: false });
      return random(foldIn(settings.seed, promptIndex + (settings.firstPrompt ?? 0), row % n));
    });
    const vocabulary = config.text.vocabSize;
    const firstPosition = prompts.map(nextPosition);

    const isOpen = (row: number): boolean => !rollouts[row].finished && rollouts[row].tokenIds.length < maxNewTokens;

    const divisor = sampling.greedy && temperature === 0 ? 1 : temperature;

    /** Draws the next token of each open row; `line(slot)` is its row of the probabilities. Returns how many stay open. */
    const takeTokens = (probabilityTensor: Tensor, line: (slot: number) => number): number => {
      const data = probabilityTensor.dataSync() as Float32Array;
      probabilityTensor.dispose();
      let open = 0;
      slots.rows.forEach((row, slot) => {
        if (row < 0 || !isOpen(row)) return;
        const rollout = rollouts[row];
        const start = line(slot) * vocabulary;
        const draw = streams[row].uniform;
        const seen = repetitionPenalty === 1 ? [] : new Set([...prompts[rollout.promptIndex].inputIds, ...rollout.tokenIds]);
        const token = onLogits ? sampleFromLogits(data, start, vocabulary, seen, sampling, draw) : sampleToken(data, start, vocabulary, sampling, draw);
        rollout.tokenIds.push(token);
        rollout.logProbs.push(onLogits ? logProbOf(data, start, vocabulary, token, logProbsOf === "model" ? 1 : divisor) : Math.log(Math.max(data[start + token], 1e-38)));
        rollout.finished = eosTokenIds.includes(token);
        if (isOpen(row)) open++;
      });
      return open;
    };

    const batch = promptBatch(prompts);
    const temperatureTensor = onLogits ? null : tf.scalar(divisor);
    const prompt = read(params, batch, features, temperatureTensor);
    const { mask, ...unused } = batch;
    disposeTree(unused);
    const first = firstSlots(prompts.length, n);
    let slots = first;
    let promptCache = { promptKeys: prompt.keys, promptValues: prompt.values, promptMask: mask };
    let past: { keys: LayerTensors; values: LayerTensors } = { keys: [], values: [] };
    let chunk = { keys: emptyChunk(rows), values: emptyChunk(rows) };
    let open = takeTokens(prompt.probabilities, (slot) => Math.floor(slot / n));
    settings.onToken?.(1, open, rollouts);

    for (let t = 1; open > 0; t++) {
      const slotIndex = (t - 1) % CHUNK;
      if (t > 1 && slotIndex === 0) {
        const join = (old: LayerTensors, filled: LayerTensors): LayerTensors => (old.length === 0 ? filled : old.map((x, i) => tf.concat([x, filled[i]], 2)));
        const joined = { keys: join(past.keys, chunk.keys), values: join(past.values, chunk.values) };
        if (past.keys.length > 0) disposeTree(past, chunk);
        past = joined;
        const packed = packSlots(slots, first, isOpen);
        if (packed) {
          const placeOf = new Map(slots.rows.map((row, slot) => [row, slot]));
          const entryOf = new Map(slots.prompts.map((prompt, entry) => [prompt, entry]));
          const kept = { past, promptCache };
          past = takeRows(past, packed.rows.map((row) => (row < 0 ? 0 : placeOf.get(row)!)));
          promptCache = takeRows(promptCache, packed.prompts.map((prompt) => entryOf.get(prompt)!));
          disposeTree(kept);
          slots = packed;
        }
        chunk = { keys: emptyChunk(slots.rows.length), values: emptyChunk(slots.rows.length) };
      }
      const slot = tf.tensor1d(Array.from({ length: CHUNK }, (_, i) => (i === slotIndex ? 1 : 0)));
      const chunkMask = tf.tensor1d(Array.from({ length: CHUNK }, (_, i) => (i <= slotIndex ? 0 : MASKED)));
      const inSlots = (value: (rollout: Rollout) => number): Tensor => tf.tensor1d(slots.rows.map((row) => (row < 0 ? 0 : value(rollouts[row]))), "int32");
      const tokens = inSlots((r) => r.tokenIds[r.tokenIds.length - 1]);
      const positions = inSlots((r) => firstPosition[r.promptIndex] + t - 1);
      const cache: DecodeCache = { ...promptCache, pastKeys: past.keys, pastValues: past.values, chunkKeys: chunk.keys, chunkValues: chunk.values, slot, chunkMask };
      const next = step(params, cache, tokens, positions, temperatureTensor);
      disposeTree([chunk, slot, chunkMask, tokens, positions]);
      chunk = { keys: next.keys, values: next.values };
      open = takeTokens(next.probabilities, (s) => s);
      settings.onToken?.(t + 1, open, rollouts);
    }
    disposeTree([promptCache, past, chunk, temperatureTensor]);
    return rollouts;
  }
  return { generate };
}
