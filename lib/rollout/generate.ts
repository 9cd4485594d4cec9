/**
 * Generation: the prompts are read once (prefill), each prompt's cache is shared by its group of samples, and tokens
 * are produced one compiled call at a time. A row's own keys and values live in chunks: only the chunk being filled is
 * rewritten each step; full chunks are joined to the past, and there rows that ended leave the batch (`slots.ts`). The
 * next token is chosen in the same call (`choose.ts`), or on the host from its row of the vocabulary (`sample.ts`).
 */
import { compile, type CompileOptions } from "../engine/compile";
import { canCompile } from "../engine/native";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree, takeRows } from "../engine/tree";
import type { ModelConfig } from "../model/config";
import { decode, embedTokens, lmHead, mergeImageFeatures, prefill } from "../model/decoder";
import { decodeAttention, type DecodeCache, type LayerTensors } from "./attention";
import { choose, temperedSoftmax, type ChoiceInputs } from "./choose";
import { nextPosition, promptBatch, type PromptBatch } from "./prompts";
import { createRounding } from "./rounded";
import { createSampler, type Scored } from "./sampler";
import { firstSlots, packSlots } from "./slots";
import type { GenerateOptions, PromptRow, Rollout } from "./types";

/** Image features `[N, hiddenSize]` and the prompts that point into them. */
export interface GenerateInputs {
  prompts: readonly PromptRow[];
  features: Tensor;
}

/** A generator holds the compiled functions of one model configuration. */
export interface Generator {
  /** @throws Error where a prompt is empty or the probabilities are not numbers. */
  generate(params: Params, inputs: GenerateInputs, options: GenerateOptions): Rollout[];
  /**
   * The same, with a pause after each token of all rows, in which who asks may let other things happen. Where it is not
   * gone on with, `return()` frees what it holds.
   */
  steps(params: Params, inputs: GenerateInputs, options: GenerateOptions): Iterator<void, Rollout[]>;
}

/** Options of a generator. */
export interface GeneratorOptions extends CompileOptions {
  /**
   * Where tokens are chosen: in the compiled step, so that ids and log-probs alone come to the host, or on the host
   * from the step's scores. The same seed gives the same tokens, up to rounding. Default: `graph` where functions are
   * compiled, `host` on tfjs's JavaScript backend (docs/log.md, 2026-11-25, has the times).
   */
  sampling?: "graph" | "host";
}

const CHUNK = 16;

type Chunk = Pick<DecodeCache, "chunkKeys" | "chunkValues">;
type Past = Pick<DecodeCache, "pastKeys" | "pastValues">;

/** The past with a full chunk behind it; uses both up. */
function lengthened(past: Past, { chunkKeys, chunkValues }: Chunk): Past {
  if (past.pastKeys.length === 0) return { pastKeys: chunkKeys, pastValues: chunkValues };
  const join = (old: LayerTensors, filled: LayerTensors): LayerTensors =>
    old.map((x, i) => tf.concat([x, filled[i]], 2));
  const joined = { pastKeys: join(past.pastKeys, chunkKeys), pastValues: join(past.pastValues, chunkValues) };
  disposeTree(past, chunkKeys, chunkValues);
  return joined;
}

/** Rows `from` of every tensor of `tree`; uses it up. */
function onlyRows<T>(tree: T, from: readonly number[]): T {
  const kept = takeRows(tree, from);
  disposeTree(tree);
  return kept;
}

function textParams(params: Params): Params {
  return Object.fromEntries(Object.entries(params).filter(([name]) => !name.startsWith("visual.")));
}

/** A generator for `config`; its compiled functions are cached by shape across calls. */
export function createGenerator(
  config: ModelConfig,
  { sampling: where = canCompile() ? "graph" : "host", ...options }: GeneratorOptions = {},
): Generator {
  const { numHiddenLayers: layers, numKeyValueHeads: kv, headDim, vocabSize: vocabulary } = config.text;

  /**
   * Probabilities of the next token (its logits where there is no temperature), `[lines,V]`, and what is chosen of them
   * for `perLine` rows each.
   * @param newly int32 `[rows]`: tokens that count as seen from now on
   */
  const next = (
    params: Params,
    hidden: Tensor,
    temperature: Tensor | null,
    given: ChoiceInputs | null,
    perLine: number,
    newly: Tensor | null,
  ): Scored => {
    const logits = lmHead(params, config, hidden);
    const scores = temperature ? temperedSoftmax(logits, temperature) : logits;
    if (!given) return { scores, chosen: null, seen: null };
    const repetition = given.logits?.repetition;
    if (!given.logits || !repetition) return { scores, chosen: choose(scores, given, perLine), seen: null };
    const seen = newly
      ? tf.maximum(repetition.seen, tf.oneHot(newly as tf.Tensor1D, vocabulary))
      : tf.clone(repetition.seen);
    return {
      scores,
      chosen: choose(scores, { ...given, logits: { ...given.logits, repetition: { ...repetition, seen } } }, perLine),
      seen,
    };
  };

  const read = compile(
    (
      params: Params,
      batch: PromptBatch,
      features: Tensor,
      temperature: Tensor | null,
      given: ChoiceInputs | null,
      perPrompt: number,
    ) => {
      const embeds = mergeImageFeatures(embedTokens(params, batch.inputIds), features, batch.featureIndex);
      const { states, keys, values } = prefill(params, config, embeds, batch.positionIds, batch);
      return { ...next(params, states, temperature, given, perPrompt, null), promptKeys: keys, promptValues: values };
    },
    { name: "rollout.prefill", ...options },
  );

  const step = compile(
    (
      params: Params,
      cache: DecodeCache,
      temperature: Tensor | null,
      given: ChoiceInputs | null,
      tokens: Tensor,
      positions: Tensor,
    ) => {
      const chunk: Chunk = { chunkKeys: [], chunkValues: [] };
      const attention = decodeAttention(config, cache, (layer, key, value) => {
        chunk.chunkKeys[layer] = tf.keep(key);
        chunk.chunkValues[layer] = tf.keep(value);
      });
      const positionIds = tf.tile(tf.reshape(positions, [1, -1, 1]), [3, 1, 1]);
      const hidden = decode(params, config, embedTokens(params, tokens), positionIds, attention);
      return { ...next(params, hidden, temperature, given, 1, tokens), chunk };
    },
    { name: "rollout.decode", ...options },
  );

  const round = createRounding(config, options);

  /** Each in memory of its own: steps write into it. */
  const empty = (rows: number): LayerTensors =>
    Array.from({ length: layers }, () => tf.fill([rows, kv, CHUNK, headDim], 0));
  const emptyChunk = (rows: number): Chunk => ({ chunkKeys: empty(rows), chunkValues: empty(rows) });

  function* steps(
    allParams: Params,
    { prompts, features }: GenerateInputs,
    settings: GenerateOptions,
  ): Iterator<void, Rollout[]> {
    if (prompts.length === 0) return [];
    const params = textParams(allParams);
    const n = settings.numGenerations;
    const rows = prompts.length * n;
    const rollouts = Array.from({ length: rows }, (_, row): Rollout => ({
      promptIndex: Math.floor(row / n),
      sampleIndex: row % n,
      tokenIds: [],
      logProbs: [],
      finished: false,
    }));
    const firstPosition = prompts.map(nextPosition);
    const batch = promptBatch(prompts);
    const sampler = createSampler(prompts, rollouts, settings, vocabulary, where);
    const first = firstSlots(prompts.length, n);
    let slots = first;
    const { mask: promptMask, ...unused } = batch;
    let promptCache: Pick<DecodeCache, "promptKeys" | "promptValues" | "promptMask"> = {
      promptKeys: [],
      promptValues: [],
      promptMask,
    };
    let past: Past = { pastKeys: [], pastValues: [] };
    let chunk: Chunk = { chunkKeys: [], chunkValues: [] };
    let rounded: ReturnType<typeof round> | null = null;
    try {
      const prompt = read(
        params,
        batch,
        features,
        sampler.temperature,
        sampler.begin(slots.rows),
        where === "graph" ? n : 1,
      );
      promptCache = { ...promptCache, promptKeys: prompt.promptKeys, promptValues: prompt.promptValues };
      disposeTree(unused);
      rounded = round(params);
      chunk = emptyChunk(rows);
      let open = sampler.take(prompt, (slot) => Math.floor(slot / n));
      settings.onToken?.(1, open, rollouts);
      yield;

      for (let t = 1; open > 0; t++) {
        const slotIndex = (t - 1) % CHUNK;
        if (t > 1 && slotIndex === 0) {
          past = lengthened(past, chunk);
          const packed = packSlots(slots, first, sampler.isOpen);
          if (packed) {
            const placeOf = new Map(slots.rows.map((row, slot) => [row, slot]));
            const entryOf = new Map(slots.prompts.map((prompt, entry) => [prompt, entry]));
            const from = packed.rows.map((row) => (row < 0 ? 0 : placeOf.get(row)!));
            past = onlyRows(past, from);
            sampler.pack(from);
            promptCache = onlyRows(
              promptCache,
              packed.prompts.map((prompt) => entryOf.get(prompt)!),
            );
            slots = packed;
          }
          chunk = emptyChunk(slots.rows.length);
        }
        const slot = tf.scalar(slotIndex, "int32");
        const inSlots = (value: (rollout: Rollout) => number): Tensor =>
          tf.tensor1d(
            slots.rows.map((row) => (row < 0 ? 0 : value(rollouts[row]))),
            "int32",
          );
        const tokens = inSlots((r) => r.tokenIds[r.tokenIds.length - 1]);
        const positions = inSlots((r) => firstPosition[r.promptIndex] + t - 1);
        const produced = step(
          rounded.params,
          { ...promptCache, ...past, ...chunk, slot },
          sampler.temperature,
          sampler.begin(slots.rows),
          tokens,
          positions,
        );
        disposeTree([chunk, slot, tokens, positions]);
        chunk = produced.chunk;
        open = sampler.take(produced, (s) => s);
        settings.onToken?.(t + 1, open, rollouts);
        yield;
      }
      return rollouts;
    } finally {
      disposeTree([unused, promptCache, past, chunk, rounded && rounded.made]);
      sampler.dispose();
    }
  }

  function generate(params: Params, inputs: GenerateInputs, settings: GenerateOptions): Rollout[] {
    const run = steps(params, inputs, settings);
    for (;;) {
      const { done, value } = run.next();
      if (done) return value;
    }
  }
  return { generate, steps };
}
