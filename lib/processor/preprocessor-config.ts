/** `preprocessor_config.json` of Qwen2-VL's image processor in camelCase, and back. */
import * as fs from "node:fs";
import * as path from "node:path";
import { readJsonObject } from "../util/files";
import { shownValue } from "../util/json-text";

/** How an image becomes patches. */
export interface PreprocessorConfig {
  /** Fewest and most pixels after resizing. */
  minPixels: number;
  maxPixels: number;
  patchSize: number;
  temporalPatchSize: number;
  mergeSize: number;
  imageMean: [number, number, number];
  imageStd: [number, number, number];
  rescaleFactor: number;
}

/** OpenAI CLIP's channel statistics, as published with Qwen2.5-VL. */
export const CLIP_MEAN: [number, number, number] = [0.48145466, 0.4578275, 0.40821073];
export const CLIP_STD: [number, number, number] = [0.26862954, 0.26130258, 0.27577711];

/**
 * Parses the content of `preprocessor_config.json` (or the `image_processor` part of newer `processor_config.json`).
 * Both spellings of the limits are read: `min_pixels`/`max_pixels` win over `size.shortest_edge`/`size.longest_edge`.
 * @throws Error naming file and field
 */
export function parsePreprocessorConfig(json: unknown, file = "preprocessor_config.json"): PreprocessorConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new Error(`${file}: expected a JSON object`);
  const source = json as Record<string, unknown>;
  const size = (source.size ?? {}) as Record<string, unknown>;
  const integer = (field: string, ...candidates: unknown[]): number => {
    const value = candidates.find((x) => x !== undefined && x !== null);
    if (!Number.isInteger(value) || (value as number) <= 0)
      throw new Error(`${file}: ${field} is ${shownValue(value)}; expected a positive integer`);
    return value as number;
  };
  const triple = (field: string, fallback: [number, number, number]): [number, number, number] => {
    const value = source[field] ?? fallback;
    if (!Array.isArray(value) || value.length !== 3 || !value.every((x) => typeof x === "number" && Number.isFinite(x)))
      throw new Error(`${file}: ${field} is ${shownValue(value)}; expected three numbers`);
    return value as [number, number, number];
  };
  for (const field of ["do_resize", "do_rescale", "do_normalize", "do_convert_rgb"]) {
    if (source[field] === false) throw new Error(`${file}: ${field} is false; only true is supported`);
  }
  if (source.resample !== undefined && source.resample !== 3)
    throw new Error(`${file}: resample is ${shownValue(source.resample)}; only 3 (bicubic) is supported`);
  const rescaleFactor = source.rescale_factor ?? 1 / 255;
  if (typeof rescaleFactor !== "number" || !(rescaleFactor > 0))
    throw new Error(`${file}: rescale_factor is ${shownValue(rescaleFactor)}; expected a positive number`);
  const config: PreprocessorConfig = {
    minPixels: integer("min_pixels", source.min_pixels, size.shortest_edge, size.min_pixels, 56 * 56),
    maxPixels: integer("max_pixels", source.max_pixels, size.longest_edge, size.max_pixels, 28 * 28 * 1280),
    patchSize: integer("patch_size", source.patch_size, 14),
    temporalPatchSize: integer("temporal_patch_size", source.temporal_patch_size, 2),
    mergeSize: integer("merge_size", source.merge_size, 2),
    imageMean: triple("image_mean", CLIP_MEAN),
    imageStd: triple("image_std", CLIP_STD),
    rescaleFactor,
  };
  if (config.minPixels > config.maxPixels)
    throw new Error(`${file}: min_pixels (${config.minPixels}) is above max_pixels (${config.maxPixels})`);
  return config;
}

/** The content of `preprocessor_config.json`, the limits in both spellings. */
export function preprocessorConfigToJson(config: PreprocessorConfig): Record<string, unknown> {
  return {
    image_processor_type: "Qwen2VLImageProcessor",
    processor_class: "Qwen2_5_VLProcessor",
    do_convert_rgb: true,
    do_resize: true,
    do_rescale: true,
    do_normalize: true,
    resample: 3,
    rescale_factor: config.rescaleFactor,
    image_mean: config.imageMean,
    image_std: config.imageStd,
    min_pixels: config.minPixels,
    max_pixels: config.maxPixels,
    size: { shortest_edge: config.minPixels, longest_edge: config.maxPixels },
    patch_size: config.patchSize,
    temporal_patch_size: config.temporalPatchSize,
    merge_size: config.mergeSize,
  };
}

/** Loads the configuration of a checkpoint directory. @throws Error naming the file */
export function loadPreprocessorConfig(dir: string): PreprocessorConfig {
  const file = path.join(dir, "preprocessor_config.json");
  const processorFile = path.join(dir, "processor_config.json");
  if (!fs.existsSync(file) && fs.existsSync(processorFile))
    return parsePreprocessorConfig(readJsonObject(processorFile).image_processor, `${processorFile} (image_processor)`);
  return parsePreprocessorConfig(readJsonObject(file), file);
}
