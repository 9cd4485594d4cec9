/** A model as a Hugging Face directory: config.json, safetensors (one file or shards), generation_config.json. */
import * as fs from "node:fs";
import * as path from "node:path";
import { isForGpu, type Params } from "../engine/tensorflow";
import { readJson, readJsonObject, writeText } from "../util/files";
import { gib, roomInMemory } from "../util/room";
import { shownValue } from "../util/json-text";
import { configToJson, parseConfig, type ModelConfig } from "./config";
import { replaceDirectory } from "./directory";
import { generationConfigToJson, parseGenerationConfig, type GenerationConfig } from "./generation-config";
import { isLora } from "./lora";
import {
  readHeader,
  readTensor,
  readValues,
  writeSafetensors,
  type ReadOptions,
  type SafetensorsHeader,
  type Staging,
} from "./safetensors";
import { paramShapes } from "./shapes";

/** A loaded model; the caller disposes the parameters. */
export interface LoadedModel {
  config: ModelConfig;
  params: Params;
  generationConfig: GenerationConfig;
}

/** The name under which a tensor was published, from the names newer versions of transformers save. */
export function publishedName(name: string): string {
  if (name.startsWith("model.visual.")) return name.slice("model.".length);
  if (name.startsWith("model.language_model.")) return `model.${name.slice("model.language_model.".length)}`;
  return name;
}

/** Whether a record has this key itself: names in a file may be those of every object's properties. */
const isOwn = (record: object, key: string): boolean => Object.prototype.hasOwnProperty.call(record, key);

/** Headers of the safetensors files of a directory: `model.safetensors`, else the shards of its index. */
function readHeaders(dir: string): SafetensorsHeader[] {
  const single = path.join(dir, "model.safetensors");
  const index = path.join(dir, "model.safetensors.index.json");
  if (fs.existsSync(single)) return [readHeader(single)];
  if (!fs.existsSync(index))
    throw new Error(`${dir}: neither model.safetensors nor model.safetensors.index.json is there`);
  const map = (readJson(index) as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== "object" || map === null) throw new Error(`${index}: weight_map is missing`);
  const files = [...new Set(Object.values(map as Record<string, unknown>))];
  const headers = files.map((file) => {
    if (typeof file !== "string" || path.basename(file) !== file || file === ".." || !file.endsWith(".safetensors")) {
      throw new Error(
        `${index}: weight_map names ${shownValue(file)}; expected a .safetensors file in the same folder`,
      );
    }
    if (!fs.existsSync(path.join(dir, file))) throw new Error(`${index}: the shard ${file} is missing`);
    return readHeader(path.join(dir, file));
  });
  for (const [tensor, file] of Object.entries(map as Record<string, string>)) {
    if (!isOwn(headers[files.indexOf(file)].entries, tensor))
      throw new Error(
        `${index}: weight_map has tensor ${tensor} in ${file}, which doesn't hold it; index and shards belong to different checkpoints`,
      );
  }
  return headers;
}

interface Place {
  header: SafetensorsHeader;
  stored: string;
}

/** Where each expected tensor is, after checking names and shapes. */
function locate(dir: string, config: ModelConfig, headers: SafetensorsHeader[]): Map<string, Place> {
  const shapes = paramShapes(config);
  const places = new Map<string, Place>();
  for (const header of headers) {
    for (const stored of Object.keys(header.entries)) {
      const name = publishedName(stored);
      const twin = places.get(name);
      if (twin) throw new Error(`${header.file}: tensor ${stored} is also in ${twin.header.file} (${twin.stored})`);
      places.set(name, { header, stored });
    }
  }
  const head = places.get("lm_head.weight");
  if (config.tieWordEmbeddings && head) dropTiedHead(head, places);
  const missing = Object.keys(shapes).filter((name) => !places.has(name));
  if (missing.length > 0)
    throw new Error(
      `${dir}: ${missing.length} tensors are missing, the first is ${missing[0]} [${shapes[missing[0]].join(", ")}]`,
    );
  for (const [name, { header, stored }] of places) {
    const { shape } = header.entries[stored];
    if (!isOwn(shapes, name))
      throw new Error(`${header.file}: tensor ${stored} [${shape.join(", ")}] belongs to no part of this model`);
    if (shape.join() !== shapes[name].join())
      throw new Error(
        `${header.file}: tensor ${stored} has shape [${shape.join(", ")}]; config.json asks for [${shapes[name].join(", ")}]`,
      );
  }
  return places;
}

/** Some tools save the output layer of tied models too; it must equal the embeddings. */
function dropTiedHead(head: Place, places: Map<string, Place>): void {
  const table = places.get("model.embed_tokens.weight");
  if (!table) return;
  const a = readValues(head.header, head.stored);
  const b = readValues(table.header, table.stored);
  if (a.length !== b.length || a.some((value, i) => value !== b[i])) {
    throw new Error(
      `${head.header.file}: lm_head.weight differs from model.embed_tokens.weight, but config.json has tie_word_embeddings true`,
    );
  }
  places.delete("lm_head.weight");
}

/**
 * Bytes of each weight under `dtype: "auto"`: 2 where every tensor of the directory is stored in bfloat16, else 4.
 * Without weights, which a memory plan does not need, `torch_dtype` (or `dtype`) of config.json says it.
 */
export function storedWeightBytes(dir: string): 2 | 4 {
  const hasWeights = ["model.safetensors", "model.safetensors.index.json"].some((name) =>
    fs.existsSync(path.join(dir, name)),
  );
  if (hasWeights) {
    const dtypes = readHeaders(dir).flatMap(({ entries }) => Object.values(entries).map(({ dtype }) => dtype));
    return dtypes.every((dtype) => dtype === "BF16") ? 2 : 4;
  }
  const { torch_dtype, dtype } = readJsonObject(path.join(dir, "config.json"));
  return (torch_dtype ?? dtype) === "bfloat16" ? 2 : 4;
}

/** A directory's configuration, without its weights. @throws Error naming file and field */
export function loadConfig(dir: string): Pick<LoadedModel, "config" | "generationConfig"> {
  const file = path.join(dir, "config.json");
  const generationFile = path.join(dir, "generation_config.json");
  return {
    config: parseConfig(readJson(file), file),
    generationConfig: fs.existsSync(generationFile)
      ? parseGenerationConfig(readJson(generationFile), generationFile)
      : {},
  };
}

/** Bytes of the weights once they are loaded. */
function loadedBytes(places: ReadonlyMap<string, Place>, { dtype = "float32" }: ReadOptions): number {
  let bytes = 0;
  for (const { header, stored } of places.values()) {
    const entry = header.entries[stored];
    const narrow = dtype === "bfloat16" || (dtype === "auto" && entry.dtype === "BF16");
    bytes += (narrow ? 2 : 4) * entry.shape.reduce((a, b) => a * b, 1);
  }
  return bytes;
}

/** A GPU has memory of its own, which TensorFlow tells of. @throws Error with the numbers where host memory is less */
function assertFitsInMemory(dir: string, places: ReadonlyMap<string, Place>, options: ReadOptions): void {
  if (isForGpu()) return;
  const [bytes, there] = [loadedBytes(places, options), options.room ?? roomInMemory()];
  if (bytes > there)
    throw new Error(
      `${dir}: its weights take ${gib(bytes)} in memory, and ${gib(there)} are there for this process; nothing was loaded. Take a smaller model, or raise the limit (ulimit -v, the container's memory)`,
    );
}

/**
 * Loads a Qwen2.5-VL directory as published (or as newer transformers save it), one tensor at a time and each straight
 * into TensorFlow's memory; f16 and bf16 become f32, unless `dtype` says that they are held in bfloat16. Names and
 * shapes are checked before any weight is read, NaN and infinite weights while they are (`checkFinite`, default true).
 * @throws Error naming file, tensor and both shapes, or the bytes that memory has no room for; nothing stays loaded
 * then
 */
export function loadModel(dir: string, options: ReadOptions = {}): LoadedModel {
  const { config, generationConfig } = loadConfig(dir);
  const places = locate(dir, config, readHeaders(dir));
  assertFitsInMemory(dir, places, options);
  const params: Params = {};
  const staging: Staging = { buffer: new ArrayBuffer(0) };
  try {
    for (const name of Object.keys(paramShapes(config))) {
      const { header, stored } = places.get(name) as Place;
      params[name] = readTensor(header, stored, options, staging);
    }
  } catch (error) {
    Object.values(params).forEach((tensor) => tensor.dispose());
    throw error;
  }
  return { config, params, generationConfig };
}

/** What `saveModel` writes. */
export interface SavedModel {
  config: ModelConfig;
  params: Params;
  generationConfig?: GenerationConfig;
  /** Storage of the weights; default F32. */
  dtype?: "F32" | "F16" | "BF16";
  /** Further text files by name: tokenizer, chat template, preprocessor config, model card. */
  files?: Record<string, string>;
}

/**
 * Checks names and shapes of a parameter record against a configuration.
 * @throws Error naming the first that differs
 */
export function checkParams(config: ModelConfig, params: Params): void {
  const shapes = paramShapes(config);
  for (const [name, shape] of Object.entries(shapes)) {
    if (!params[name]) throw new Error(`parameter ${name} [${shape.join(", ")}] is missing`);
    if (params[name].shape.join() !== shape.join())
      throw new Error(
        `parameter ${name} has shape [${params[name].shape.join(", ")}]; the configuration asks for [${shape.join(", ")}]`,
      );
  }
  const extra = Object.keys(params).find((name) => !shapes[name]);
  if (extra)
    throw new Error(
      `parameter ${extra} [${params[extra].shape.join(", ")}] belongs to no part of this model${isLora(extra) ? "; merge the adapter (mergeLora) or save it on its own (saveAdapter)" : ""}`,
    );
}

/**
 * Writes a directory that `loadModel` and transformers read. It is made under a temporary name and takes the place of
 * an earlier checkpoint of that name.
 * @throws Error when `dir` exists and is no checkpoint, or the parameters don't fit the configuration
 */
export function saveModel(dir: string, model: SavedModel): void {
  checkParams(model.config, model.params);
  const config = configToJson(model.config);
  config.torch_dtype = { F32: "float32", F16: "float16", BF16: "bfloat16" }[model.dtype ?? "F32"];
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  const files: Record<string, string> = {
    ...model.files,
    "config.json": json(config),
    "generation_config.json": json(generationConfigToJson(model.generationConfig ?? {})),
  };
  const badName = Object.keys(files).find((name) => path.basename(name) !== name);
  if (badName) throw new Error(`saveModel: ${badName} is no plain file name`);
  replaceDirectory(dir, "config.json", "checkpoint", (temporary) => {
    for (const [name, text] of Object.entries(files)) writeText(path.join(temporary, name), text);
    // The published order, whatever the order of the record: equal parameters give equal files.
    const ordered = Object.fromEntries(
      Object.keys(paramShapes(model.config)).map((name) => [name, model.params[name]]),
    );
    writeSafetensors(path.join(temporary, "model.safetensors"), ordered, { dtype: model.dtype });
  });
}
