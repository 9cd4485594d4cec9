/**
 * CLIP and SigLIP from a local directory of ONNX files, through `@huggingface/transformers` (transformers.js). The
 * package brings ONNX Runtime for every platform, 470 MB that nothing else here needs: it is no dependency,
 * `zero-shot --install` puts it into `.onnx`. Nothing is ever downloaded from a hub.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import * as path from "node:path";
import { parseJsonText, shownValue } from "../util/json-text";
import { readRegular } from "../util/regular-file";
import { repositoryRoot } from "../util/root";

/** What `zero-shot --install` installs. */
export const TRANSFORMERS_JS = "@huggingface/transformers@4.3.1";

/** Ignored by git. */
export const onnxFolder = (): string => path.join(repositoryRoot(), ".onnx");

interface OrtTensor {
  data: Float32Array;
  dims: number[];
}

type Session = ((inputs: Record<string, unknown>) => Promise<Record<string, OrtTensor>>) & {
  dispose(): Promise<unknown>;
};

interface Loader<T> {
  from_pretrained(name: string, options: { local_files_only: true; dtype?: string }): Promise<T>;
}

/** The part of transformers.js used here. */
interface TransformersJs {
  env: { allowRemoteModels: boolean; allowLocalModels: boolean; localModelPath: string };
  AutoTokenizer: Loader<{ encode(text: string): number[]; pad_token_id?: number }>;
  AutoProcessor: Loader<(images: unknown[]) => Promise<{ pixel_values: unknown }>>;
  CLIPTextModelWithProjection: Loader<Session>;
  CLIPVisionModelWithProjection: Loader<Session>;
  SiglipTextModel: Loader<Session>;
  SiglipVisionModel: Loader<Session>;
  RawImage: { read(file: string): Promise<{ rgb(): unknown }> };
  Tensor: new (type: "int64", data: BigInt64Array, dims: number[]) => unknown;
}

/** Whether the package is there. */
export const hasOnnx = (): boolean =>
  existsSync(path.join(onnxFolder(), "node_modules/@huggingface/transformers/package.json"));

function transformersJs(): TransformersJs {
  if (!hasOnnx())
    throw new Error(
      `${TRANSFORMERS_JS} is not installed; npm run -s fine-r1 -- zero-shot --install puts it into .onnx (470 MB, from the npm registry)`,
    );
  const library = createRequire(path.join(onnxFolder(), "package.json"))("@huggingface/transformers") as TransformersJs;
  library.env.allowRemoteModels = false;
  library.env.allowLocalModels = true;
  return library;
}

/** How the files' weights are stored: the ending of their names (`vision_model_fp16.onnx`). */
export const ONNX_DTYPES = ["fp32", "fp16", "q8"] as const;
export type OnnxDtype = (typeof ONNX_DTYPES)[number];
const ENDING: Readonly<Record<OnnxDtype, string>> = { fp32: "", fp16: "_fp16", q8: "_quantized" };

/** The two towers; vectors of length 1. */
export interface OnnxTowers {
  kind: "clip" | "siglip";
  texts(texts: readonly string[]): Promise<Float32Array[]>;
  /** @param files absolute paths */
  images(files: readonly string[], onProgress?: (done: number, total: number) => void): Promise<Float32Array[]>;
  close(): Promise<void>;
}

/** What a directory says it is. @throws Error naming file and field */
export function describeDirectory(dir: string): { kind: "clip" | "siglip"; maxTokens: number } {
  const file = path.join(dir, "config.json");
  let config: { model_type?: unknown; text_config?: { max_position_embeddings?: unknown } };
  try {
    config = parseJsonText(readRegular(file).toString("utf8")) as typeof config;
  } catch (error) {
    throw new Error(
      `${file}: ${(error as NodeJS.ErrnoException).code === "ENOENT" ? "no such file; a directory as transformers.js reads it is expected" : `no valid JSON (${(error as Error).message})`}`,
    );
  }
  const kind = config?.model_type;
  if (kind !== "clip" && kind !== "siglip")
    throw new Error(`${file}: model_type is ${shownValue(kind)}; clip or siglip expected`);
  // published configs leave out what is the default: 77 for CLIP, 64 for SigLIP
  const maxTokens = config.text_config?.max_position_embeddings ?? (kind === "clip" ? 77 : 64);
  if (!Number.isInteger(maxTokens) || (maxTokens as number) < 2)
    throw new Error(
      `${file}: text_config.max_position_embeddings is ${shownValue(maxTokens)}; an integer of at least 2 expected`,
    );
  return { kind, maxTokens: maxTokens as number };
}

/**
 * Token ids as both models want them: a text that is too long is cut and keeps its end token (transformers.js alone
 * would lose it), CLIP's are padded to the longest, SigLIP's to the full length, since its tower reads the last place.
 */
export function padTexts(
  ids: readonly (readonly number[])[],
  kind: "clip" | "siglip",
  maxTokens: number,
  padToken: number,
): { data: BigInt64Array; dims: [number, number] } {
  const cut = ids.map((row) => (row.length <= maxTokens ? row : [...row.slice(0, maxTokens - 1), row[row.length - 1]]));
  const length = kind === "siglip" ? maxTokens : Math.max(...cut.map((row) => row.length));
  const data = new BigInt64Array(cut.length * length).fill(BigInt(padToken));
  cut.forEach((row, i) => row.forEach((id, t) => (data[i * length + t] = BigInt(id))));
  return { data, dims: [cut.length, length] };
}

/** The rows of an output, each scaled to length 1. @throws Error where it holds a number that is not finite */
function unitRows({ data, dims: [count, width] }: OrtTensor, what: string): Float32Array[] {
  return Array.from({ length: count }, (_, i) => {
    const row = Float32Array.from(data.subarray(i * width, (i + 1) * width));
    const norm = Math.hypot(...row);
    if (!(norm > 0 && Number.isFinite(norm))) throw new Error(`${what}: an embedding has length ${norm}`);
    return row.map((x) => x / norm);
  });
}

/** What is loaded of a directory. */
export interface TowerOptions {
  dtype?: OnnxDtype;
  /** False for the text tower alone. */
  vision?: boolean;
  batchSize?: number;
}

/**
 * Opens `config.json`, `tokenizer.json`, `preprocessor_config.json`, `onnx/text_model.onnx` and
 * `onnx/vision_model.onnx`.
 * @throws Error where the package or a file is missing
 */
export async function openTowers(
  dir: string,
  { dtype = "fp32", vision = true, batchSize = 16 }: TowerOptions = {},
): Promise<OnnxTowers> {
  const whole = path.resolve(dir);
  const { kind, maxTokens } = describeDirectory(whole);
  const needed = [
    "tokenizer.json",
    "tokenizer_config.json",
    `onnx/text_model${ENDING[dtype]}.onnx`,
    ...(vision ? ["preprocessor_config.json", `onnx/vision_model${ENDING[dtype]}.onnx`] : []),
  ];
  const missing = needed.find((file) => !existsSync(path.join(whole, file)));
  if (missing !== undefined)
    throw new Error(
      `${whole}: ${missing} is not there; the layout of transformers.js is expected (${needed.join(", ")})`,
    );
  const library = transformersJs();
  library.env.localModelPath = path.dirname(whole);
  const name = path.basename(whole);
  const options = { local_files_only: true, dtype } as const;
  const tokenizer = await library.AutoTokenizer.from_pretrained(name, options);
  const textModel = await (
    kind === "clip" ? library.CLIPTextModelWithProjection : library.SiglipTextModel
  ).from_pretrained(name, options);
  const processor = vision ? await library.AutoProcessor.from_pretrained(name, options) : null;
  const visionModel = vision
    ? await (kind === "clip" ? library.CLIPVisionModelWithProjection : library.SiglipVisionModel).from_pretrained(
        name,
        options,
      )
    : null;
  const embedding = (out: Record<string, OrtTensor>, what: string): Float32Array[] => {
    const tensor = out.text_embeds ?? out.image_embeds ?? out.pooler_output;
    if (!tensor)
      throw new Error(
        `${whole}: ${what} gives ${Object.keys(out).join(", ")}; ${kind === "clip" ? "text_embeds or image_embeds" : "pooler_output"} expected`,
      );
    return unitRows(tensor, whole);
  };
  return {
    kind,
    texts: async (texts) => {
      const out: Float32Array[] = [];
      for (let start = 0; start < texts.length; start += batchSize) {
        const { data, dims } = padTexts(
          texts.slice(start, start + batchSize).map((text) => tokenizer.encode(text)),
          kind,
          maxTokens,
          tokenizer.pad_token_id ?? 0,
        );
        out.push(...embedding(await textModel({ input_ids: new library.Tensor("int64", data, dims) }), "text_model"));
      }
      return out;
    },
    images: async (files, onProgress) => {
      if (!processor || !visionModel) throw new Error(`${whole}: opened without its vision tower`);
      const out: Float32Array[] = [];
      for (let start = 0; start < files.length; start += batchSize) {
        const images = await Promise.all(
          files.slice(start, start + batchSize).map(async (file) => (await library.RawImage.read(file)).rgb()),
        );
        out.push(
          ...embedding(await visionModel({ pixel_values: (await processor(images)).pixel_values }), "vision_model"),
        );
        onProgress?.(Math.min(start + batchSize, files.length), files.length);
      }
      return out;
    },
    close: async () => {
      await textModel.dispose();
      await visionModel?.dispose();
    },
  };
}
