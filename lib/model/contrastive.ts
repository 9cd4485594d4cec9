/**
 * A small two-tower model, CLIP's form on this project's parts: the vision tower of the tiny base and a causal text
 * tower of decoder layers over the same tokenizer, each pooled, projected and normalised. Nothing of the base's weights
 * is in it.
 */
import * as path from "node:path";
import { gatherRows } from "../engine/gather";
import { linear } from "../engine/linear";
import { foldIn, random } from "../util/random";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import { readJson, writeText } from "../util/files";
import { configToJson, parseConfig, type ModelConfig } from "./config";
import { causalAttention, decode, embedTokens } from "./decoder";
import { replaceDirectory } from "./directory";
import { initParams } from "./init";
import { param } from "./project";
import { readSafetensors, writeSafetensors } from "./safetensors";
import { paramShapes } from "./shapes";
import { encodeImages } from "./vision";
import type { VisionInputs } from "./vision-plan";

/** Sizes of the two towers. */
export interface ContrastiveConfig {
  /**
   * The vision tower, and the text tower as a decoder of few layers; its embeddings are tied (there is no output
   * layer).
   */
  towers: ModelConfig;
  /** Dimensions of the shared space. */
  projectionDim: number;
  /** Tokens of a text, the end token among them; longer ones are cut. */
  maxTokens: number;
}

/** Texts as tensors. */
export interface TextInputs {
  /** int32 `[N,T]`, padded on the right. */
  inputIds: Tensor;
  /** int32 `[N]`: where in the flattened `[N*T]` each text ends. */
  endIndex: Tensor;
}

/** What the loss needs of a batch. */
export interface PairEmbeddings {
  /** `[N,projectionDim]`, each of length 1 */
  images: Tensor;
  texts: Tensor;
}

/** The text tower of a base: the same widths, `layers` layers. */
export function contrastiveConfig(
  base: ModelConfig,
  layers = 2,
  projectionDim = base.text.hiddenSize,
  maxTokens = 24,
): ContrastiveConfig {
  return {
    towers: { ...base, text: { ...base.text, numHiddenLayers: layers }, tieWordEmbeddings: true },
    projectionDim,
    maxTokens,
  };
}

/** Every parameter's shape by name. `logit_scale` is a logarithm. */
export function contrastiveShapes({ towers, projectionDim }: ContrastiveConfig): Record<string, number[]> {
  return {
    ...paramShapes(towers),
    "visual_projection.weight": [projectionDim, towers.vision.outHiddenSize],
    "text_projection.weight": [projectionDim, towers.text.hiddenSize],
    logit_scale: [],
    logit_bias: [],
  };
}

/** Seeded parameters; scale 10 and shift -10 (Zhai et al. 2023, section 3.2). The caller disposes them. */
export function initContrastive(config: ContrastiveConfig, seed: number): Params {
  const params = initParams(config.towers, seed);
  for (const name of ["visual_projection.weight", "text_projection.weight"]) {
    const [rows, columns] = contrastiveShapes(config)[name];
    const draw = random(foldIn(seed, name));
    params[name] = tf.tensor2d(
      Float32Array.from({ length: rows * columns }, () => draw.normal() / Math.sqrt(columns)),
      [rows, columns],
    );
  }
  return { ...params, logit_scale: tf.scalar(Math.log(10)), logit_bias: tf.scalar(-10) };
}

/** Rows of length 1. @param x `[N,D]` */
function normalised(x: Tensor): Tensor {
  return tf.mul(x, tf.rsqrt(tf.add(tf.sum(tf.square(x), 1, true), 1e-12)));
}

/** Mean merged features `[N,outHiddenSize]` of N images of equal size. */
export function pooledFeatures(
  params: Params,
  config: ModelConfig,
  pixelValues: Tensor,
  vision: VisionInputs,
  images: number,
): Tensor {
  return tf.tidy(() =>
    tf.mean(
      tf.reshape(encodeImages(params, config, pixelValues, vision), [images, -1, config.vision.outHiddenSize]),
      1,
    ),
  );
}

/** Embeddings `[N,projectionDim]` of pooled features. */
export function embedPooled(params: Params, pooled: Tensor): Tensor {
  return tf.tidy(() => normalised(linear(pooled, param(params, "visual_projection.weight"))));
}

/** Embeddings `[N,projectionDim]` of texts: the hidden state at the end token, which has seen the whole text. */
export function embedTexts(params: Params, { towers }: ContrastiveConfig, { inputIds, endIndex }: TextInputs): Tensor {
  return tf.tidy(() => {
    const [count, length] = inputIds.shape as [number, number];
    const positions = tf.tile(tf.reshape(tf.range(0, length, 1, "int32"), [1, 1, length]), [3, count, 1]);
    const attend = causalAttention();
    const hidden = decode(params, towers, embedTokens(params, inputIds), positions, () => attend);
    const ends = gatherRows(tf.reshape(hidden, [-1, towers.text.hiddenSize]), endIndex);
    return normalised(linear(ends, param(params, "text_projection.weight")));
  });
}

/** Scaled and shifted similarities `[N,N]`, images down. */
export function pairLogits(params: Params, { images, texts }: PairEmbeddings): Tensor {
  return tf.tidy(() =>
    tf.add(
      tf.mul(tf.matMul(images as tf.Tensor2D, texts as tf.Tensor2D, false, true), tf.exp(param(params, "logit_scale"))),
      param(params, "logit_bias"),
    ),
  );
}

/** Texts as tensors: the tokens, an end token, padding. @param encode text to token ids */
export function textInputs(
  texts: readonly string[],
  { towers, maxTokens }: ContrastiveConfig,
  encode: (text: string) => number[],
): TextInputs {
  const end = towers.eosTokenId!;
  const inputIds = new Int32Array(texts.length * maxTokens).fill(towers.padTokenId ?? end);
  const endIndex = new Int32Array(texts.length);
  texts.forEach((text, i) => {
    const ids = [...encode(text).slice(0, maxTokens - 1), end];
    inputIds.set(ids, i * maxTokens);
    endIndex[i] = i * maxTokens + ids.length - 1;
  });
  return {
    inputIds: tf.tensor2d(inputIds, [texts.length, maxTokens], "int32"),
    endIndex: tf.tensor1d(endIndex, "int32"),
  };
}

const KIND = "fine-r1-contrastive";

/** Writes `config.json` and `model.safetensors` in place of an earlier model of this kind, with further text files. */
export function saveContrastive(
  dir: string,
  config: ContrastiveConfig,
  params: Params,
  files: Record<string, string> = {},
): void {
  const shapes = contrastiveShapes(config);
  const wrong = Object.keys(shapes).find((name) => params[name]?.shape.join() !== shapes[name].join());
  if (wrong !== undefined)
    throw new Error(
      `saveContrastive: ${wrong} has shape [${params[wrong]?.shape.join(", ") ?? "missing"}]; the configuration asks for [${shapes[wrong].join(", ")}]`,
    );
  const json = {
    model_type: KIND,
    projection_dim: config.projectionDim,
    max_tokens: config.maxTokens,
    towers: configToJson(config.towers),
  };
  replaceDirectory(dir, "config.json", "contrastive model", (temporary) => {
    for (const [name, text] of Object.entries({ ...files, "config.json": `${JSON.stringify(json, null, 2)}\n` }))
      writeText(path.join(temporary, name), text);
    writeSafetensors(
      path.join(temporary, "model.safetensors"),
      Object.fromEntries(Object.keys(shapes).map((name) => [name, params[name]])),
    );
  });
}

/** Reads what `saveContrastive` wrote; the caller disposes the parameters. @throws Error naming file and tensor */
export function loadContrastive(dir: string): { config: ContrastiveConfig; params: Params } {
  const file = path.join(dir, "config.json");
  const json = readJson(file) as {
    model_type?: unknown;
    projection_dim?: unknown;
    max_tokens?: unknown;
    towers?: unknown;
  };
  if (json?.model_type !== KIND)
    throw new Error(`${file}: model_type is ${JSON.stringify(json?.model_type)}; ${KIND} expected`);
  const count = (name: "projection_dim" | "max_tokens"): number => {
    const value = json[name];
    if (!Number.isInteger(value) || (value as number) < 1)
      throw new Error(`${file}: ${name} is ${JSON.stringify(value)}; a positive integer expected`);
    return value as number;
  };
  const config = {
    towers: parseConfig(json.towers, `${file}, towers`),
    projectionDim: count("projection_dim"),
    maxTokens: count("max_tokens"),
  };
  const { params } = readSafetensors(path.join(dir, "model.safetensors"));
  const shapes = contrastiveShapes(config);
  const wrong = [...new Set([...Object.keys(shapes), ...Object.keys(params)])].find(
    (name) => params[name]?.shape.join() !== shapes[name]?.join(),
  );
  if (wrong === undefined) return { config, params };
  const found = params[wrong]?.shape.join(", ");
  disposeTree(params);
  throw new Error(
    `${dir}/model.safetensors: tensor ${wrong} is ${found === undefined ? "missing" : `[${found}]`}; config.json asks for ${shapes[wrong] ? `[${shapes[wrong].join(", ")}]` : "no such tensor"}`,
  );
}
