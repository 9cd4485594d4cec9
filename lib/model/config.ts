/**
 * `config.json` of a Qwen2.5-VL checkpoint in camelCase, and back.
 * Read: the published flat layout and the nested one of newer transformers (`text_config`, `rope_parameters`).
 * Written: the published flat layout, which every version of transformers reads.
 */
import { shownValue } from "../util/json-text";

/** The decoder. */
export interface TextConfig {
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  numHiddenLayers: number;
  numAttentionHeads: number;
  numKeyValueHeads: number;
  /** hiddenSize / numAttentionHeads. */
  headDim: number;
  rmsNormEps: number;
  ropeTheta: number;
  /** How many of the headDim/2 frequencies follow the temporal, height and width position. */
  mropeSection: [number, number, number];
  maxPositionEmbeddings: number;
  initializerRange: number;
}

/** The vision tower and its merger. */
export interface VisionConfig {
  depth: number;
  hiddenSize: number;
  intermediateSize: number;
  numHeads: number;
  inChannels: number;
  patchSize: number;
  temporalPatchSize: number;
  /** Patches per side that become one token. */
  spatialMergeSize: number;
  /** Side of an attention window, pixels. */
  windowSize: number;
  /** Blocks that attend over the whole image. */
  fullattBlockIndexes: number[];
  /** Width of the decoder it feeds. */
  outHiddenSize: number;
  tokensPerSecond: number;
}

/** A whole model. */
export interface ModelConfig {
  text: TextConfig;
  vision: VisionConfig;
  tieWordEmbeddings: boolean;
  imageTokenId: number;
  videoTokenId: number;
  visionStartTokenId: number;
  visionEndTokenId: number;
  bosTokenId?: number;
  /** The token that ends a response; the first where config.json lists several. */
  eosTokenId?: number;
  /** All of them, where config.json has a list. */
  eosTokenIds?: readonly number[];
  padTokenId?: number;
}

type Json = Record<string, unknown>;

/** Epsilon of every norm in the vision tower; fixed in the reference. */
export const VISION_NORM_EPS = 1e-6;

/** Widths, counts of tokens and positions; published models stay far below. */
const LARGEST = 2 ** 24;
const MOST_LAYERS = 1024;
const isSize = (x: number): boolean => Number.isInteger(x) && x > 0 && x <= LARGEST;

/** Typed access to a JSON object; each error names the file and the field. */
function reader(file: string, prefix: string, json: Json) {
  const fail = (field: string, problem: string): never => {
    throw new Error(`${file}: ${prefix}${field} ${problem}`);
  };
  const number = (
    field: string,
    names: string[],
    fallback: number | undefined,
    ok: (x: number) => boolean,
    what: string,
  ): number => {
    const value = names.map((name) => json[name]).find((x) => x !== undefined && x !== null) ?? fallback;
    if (value === undefined) return fail(field, "is missing");
    if (typeof value !== "number" || !ok(value)) return fail(field, `is ${shownValue(value)}; expected ${what}`);
    return value;
  };
  return {
    fail,
    positiveInteger: (field: string, fallback?: number, ...aliases: string[]) =>
      number(field, [field, ...aliases], fallback, isSize, `a positive integer up to ${LARGEST}`),
    /** How many layers, heads and the like there are: a list of each is made. */
    few: (field: string, fallback?: number) =>
      number(field, [field], fallback, (x) => isSize(x) && x <= MOST_LAYERS, `an integer from 1 to ${MOST_LAYERS}`),
    /** True or false; null where the field is absent. */
    flag: (field: string): boolean | null => {
      const value = json[field] ?? null;
      return value === null || typeof value === "boolean"
        ? value
        : fail(field, `is ${shownValue(value)}; expected true or false`);
    },
    tokenId: (field: string, fallback?: number) =>
      number(field, [field], fallback, (x) => Number.isInteger(x) && x >= 0, "a token id (an integer >= 0)"),
    positive: (field: string, fallback?: number) =>
      number(field, [field], fallback, (x) => Number.isFinite(x) && x > 0, "a positive number"),
    record: (field: string): Json | null => {
      const value = json[field];
      if (value === undefined || value === null) return null;
      if (typeof value !== "object" || Array.isArray(value)) return fail(field, "is not an object");
      return value as Json;
    },
  };
}

function parseText(file: string, json: Json, prefix: string, root: Json): TextConfig {
  const read = reader(file, prefix, json);
  const hiddenSize = read.positiveInteger("hidden_size");
  const numAttentionHeads = read.positiveInteger("num_attention_heads");
  const numKeyValueHeads = read.positiveInteger("num_key_value_heads", numAttentionHeads);
  if (hiddenSize % numAttentionHeads !== 0)
    read.fail("hidden_size", `(${hiddenSize}) is not a multiple of num_attention_heads (${numAttentionHeads})`);
  if (numAttentionHeads % numKeyValueHeads !== 0)
    read.fail(
      "num_attention_heads",
      `(${numAttentionHeads}) is not a multiple of num_key_value_heads (${numKeyValueHeads})`,
    );
  const headDim = hiddenSize / numAttentionHeads;
  if (json.head_dim !== undefined && json.head_dim !== null && json.head_dim !== headDim)
    read.fail("head_dim", `is ${shownValue(json.head_dim)}; expected hidden_size / num_attention_heads = ${headDim}`);
  if (json.hidden_act !== undefined && json.hidden_act !== "silu")
    read.fail("hidden_act", `is ${shownValue(json.hidden_act)}; only "silu" is supported`);
  if (json.use_sliding_window === true) read.fail("use_sliding_window", "is true; sliding windows are not supported");
  const field = ["rope_parameters", "rope_scaling"].find((name) => read.record(name)) ?? "rope_scaling";
  const rope = read.record(field) ?? root.rope_scaling ?? {};
  const ropeRead = reader(file, `${prefix}${field}.`, rope as Json);
  const ropeJson = rope as Json;
  const type = ropeJson.rope_type ?? ropeJson.type ?? "default";
  if (type !== "default" && type !== "mrope")
    ropeRead.fail("rope_type", `is ${shownValue(type)}; only "default" and "mrope" are supported`);
  const section = ropeJson.mrope_section ?? [16, 24, 24];
  const isSection =
    Array.isArray(section) && section.length === 3 && section.every((n) => Number.isInteger(n) && n >= 0);
  if (!isSection) ropeRead.fail("mrope_section", `is ${shownValue(section)}; expected three integers`);
  const mropeSection = section as [number, number, number];
  if (mropeSection[0] + mropeSection[1] + mropeSection[2] !== headDim / 2)
    ropeRead.fail(
      "mrope_section",
      `sums to ${mropeSection.reduce((a, b) => a + b)}; expected head_dim / 2 = ${headDim / 2}`,
    );
  return {
    vocabSize: read.positiveInteger("vocab_size"),
    hiddenSize,
    intermediateSize: read.positiveInteger("intermediate_size"),
    numHiddenLayers: read.few("num_hidden_layers"),
    numAttentionHeads,
    numKeyValueHeads,
    headDim,
    rmsNormEps: read.positive("rms_norm_eps", 1e-5),
    ropeTheta: ropeJson.rope_theta !== undefined ? ropeRead.positive("rope_theta") : read.positive("rope_theta", 1e6),
    mropeSection,
    maxPositionEmbeddings: read.positiveInteger("max_position_embeddings", 32768),
    initializerRange: read.positive("initializer_range", 0.02),
  };
}

function parseVision(file: string, json: Json): VisionConfig {
  const read = reader(file, "vision_config.", json);
  const depth = read.few("depth", 32);
  const hiddenSize = read.positiveInteger("hidden_size", 3584);
  const numHeads = read.positiveInteger("num_heads", 16);
  if (hiddenSize % (4 * numHeads) !== 0)
    read.fail(
      "hidden_size",
      `(${hiddenSize}) is not a multiple of 4 * num_heads (${4 * numHeads}): rotary positions need it`,
    );
  if (json.hidden_act !== undefined && json.hidden_act !== "silu")
    read.fail("hidden_act", `is ${shownValue(json.hidden_act)}; only "silu" is supported`);
  const blocks = json.fullatt_block_indexes ?? [7, 15, 23, 31];
  if (!Array.isArray(blocks) || !blocks.every((n) => Number.isInteger(n) && n >= 0))
    read.fail("fullatt_block_indexes", `is ${shownValue(blocks)}; expected a list of block numbers`);
  const patchSize = read.positiveInteger("patch_size", 14);
  const spatialMergeSize = read.positiveInteger("spatial_merge_size", 2);
  const windowSize = read.positiveInteger("window_size", 112);
  if (windowSize < patchSize * spatialMergeSize)
    read.fail(
      "window_size",
      `is ${windowSize}; expected at least patch_size * spatial_merge_size = ${patchSize * spatialMergeSize}`,
    );
  return {
    depth,
    hiddenSize,
    intermediateSize: read.positiveInteger("intermediate_size", 3420),
    numHeads,
    inChannels: read.positiveInteger("in_channels", 3, "in_chans"),
    patchSize,
    temporalPatchSize: read.positiveInteger("temporal_patch_size", 2),
    spatialMergeSize,
    windowSize,
    fullattBlockIndexes: blocks as number[],
    outHiddenSize: read.positiveInteger("out_hidden_size", 3584),
    tokensPerSecond: read.positiveInteger("tokens_per_second", 4),
  };
}

/** Beginning, padding and end tokens, of the root or else of `text_config`, as transformers looks for them. */
function specialTokens(file: string, root: Json, nested: Json | null): Partial<ModelConfig> {
  const found: Partial<ModelConfig> = {};
  const valueOf = (field: string): unknown => root[field] ?? nested?.[field];
  for (const [key, field] of [
    ["bosTokenId", "bos_token_id"],
    ["padTokenId", "pad_token_id"],
  ] as const) {
    const value = valueOf(field);
    if (Number.isInteger(value)) found[key] = value as number;
  }
  const end = valueOf("eos_token_id") ?? [];
  const ends = [end].flat() as unknown[];
  if (!ends.every((id) => Number.isInteger(id) && (id as number) >= 0))
    throw new Error(`${file}: eos_token_id is ${shownValue(end)}; expected a token id or a list of them`);
  if (ends.length > 0) found.eosTokenId = ends[0] as number;
  if (Array.isArray(end) && ends.length > 0) found.eosTokenIds = ends as number[];
  return found;
}

/**
 * Whether the output layer is the embedding table. transformers goes by the outer value: the one in `text_config`
 * counts only where the outer is absent.
 */
function tiedEmbeddings(file: string, root: Json, nested: Json | null): boolean {
  const field = "tie_word_embeddings";
  return (
    reader(file, "", root).flag(field) ?? (nested ? reader(file, "text_config.", nested).flag(field) : null) ?? false
  );
}

/**
 * Parses the content of a `config.json`.
 * @param file named in errors
 * @throws Error naming file and field: foreign `model_type`, missing or impossible values
 */
export function parseConfig(json: unknown, file = "config.json"): ModelConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new Error(`${file}: expected a JSON object`);
  const root = json as Json;
  if (root.model_type !== "qwen2_5_vl")
    throw new Error(`${file}: model_type is ${shownValue(root.model_type)}; only "qwen2_5_vl" is supported`);
  const read = reader(file, "", root);
  const nested = read.record("text_config");
  const visionJson = read.record("vision_config");
  if (!visionJson) return read.fail("vision_config", "is missing");
  const textJson = nested ?? root;
  const text = parseText(file, textJson, nested ? "text_config." : "", root);
  const vision = parseVision(file, visionJson);
  if (vision.outHiddenSize !== text.hiddenSize)
    read.fail(
      "vision_config.out_hidden_size",
      `is ${vision.outHiddenSize}; expected the decoder's hidden_size ${text.hiddenSize}`,
    );
  const token = (field: string, fallback: number): number => {
    const id = read.tokenId(field, fallback);
    return id < text.vocabSize ? id : read.fail(field, `is ${id}, outside the vocabulary of ${text.vocabSize}`);
  };
  return {
    text,
    vision,
    tieWordEmbeddings: tiedEmbeddings(file, root, nested),
    imageTokenId: token("image_token_id", 151655),
    videoTokenId: token("video_token_id", 151656),
    visionStartTokenId: token("vision_start_token_id", 151652),
    visionEndTokenId: token("vision_end_token_id", 151653),
    ...specialTokens(file, root, nested),
  };
}

/** The content of `config.json` in the published layout. */
export function configToJson(config: ModelConfig): Json {
  const { text, vision } = config;
  return {
    architectures: ["Qwen2_5_VLForConditionalGeneration"],
    model_type: "qwen2_5_vl",
    attention_dropout: 0.0,
    ...(config.bosTokenId === undefined ? {} : { bos_token_id: config.bosTokenId }),
    ...(config.eosTokenId === undefined ? {} : { eos_token_id: config.eosTokenIds ?? config.eosTokenId }),
    ...(config.padTokenId === undefined ? {} : { pad_token_id: config.padTokenId }),
    image_token_id: config.imageTokenId,
    video_token_id: config.videoTokenId,
    vision_start_token_id: config.visionStartTokenId,
    vision_end_token_id: config.visionEndTokenId,
    hidden_act: "silu",
    hidden_size: text.hiddenSize,
    initializer_range: text.initializerRange,
    intermediate_size: text.intermediateSize,
    max_position_embeddings: text.maxPositionEmbeddings,
    num_attention_heads: text.numAttentionHeads,
    num_hidden_layers: text.numHiddenLayers,
    num_key_value_heads: text.numKeyValueHeads,
    rms_norm_eps: text.rmsNormEps,
    rope_theta: text.ropeTheta,
    rope_scaling: { type: "mrope", mrope_section: text.mropeSection },
    tie_word_embeddings: config.tieWordEmbeddings,
    torch_dtype: "float32",
    use_cache: true,
    use_sliding_window: false,
    vocab_size: text.vocabSize,
    vision_config: {
      model_type: "qwen2_5_vl",
      depth: vision.depth,
      hidden_act: "silu",
      hidden_size: vision.hiddenSize,
      intermediate_size: vision.intermediateSize,
      num_heads: vision.numHeads,
      in_channels: vision.inChannels,
      in_chans: vision.inChannels,
      out_hidden_size: vision.outHiddenSize,
      patch_size: vision.patchSize,
      spatial_patch_size: vision.patchSize,
      spatial_merge_size: vision.spatialMergeSize,
      temporal_patch_size: vision.temporalPatchSize,
      window_size: vision.windowSize,
      fullatt_block_indexes: vision.fullattBlockIndexes,
      tokens_per_second: vision.tokensPerSecond,
    },
  };
}
