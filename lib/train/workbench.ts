/**
 * The bench a run works at: processor, compiled functions and images that every stage shares. It holds no parameters:
 * those travel as arguments.
 */
import { compile } from "../engine/compile";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import type { ModelConfig } from "../model/config";
import { ropePositions } from "../model/positions";
import { encodeImages } from "../model/vision";
import {
  imagePlaces,
  roomyShape,
  visionInputs,
  visionPlan,
  visionShape,
  type ImagePlace,
  type VisionInputs,
  type VisionShape,
} from "../model/vision-plan";
import type { Processor } from "../processor/processor";
import { createGenerator, type Generator } from "../rollout/generate";
import type { PromptRow } from "../rollout/types";
import type { PatchFormat } from "./corrupt";
import { changedPatches, loadImageBank, squareImages, type AugmentBy, type RunImages } from "./images";

/** The images of a batch as the vision tower takes them. */
export interface BatchImages {
  /** `[patches, values of a patch]`, padding at the end. */
  pixelValues: Tensor;
  vision: VisionInputs;
}

/** Everything but the parameters. */
export interface Workbench {
  config: ModelConfig;
  processor: Processor;
  images: RunImages;
  generator: Generator;
  /** Token ids that end a response, and that are never sampled. */
  eosTokenIds: number[];
  bannedTokenIds: number[];
  /**
   * The shape that a batch of these images is padded to: theirs where all images of the run are alike, else one with
   * some room.
   */
  shape(paths: readonly string[]): VisionShape;
  /** Patches and plan of images, which must be loaded; the caller disposes both. @param shape default `shape(paths)` */
  batch(paths: readonly string[], augmentBy?: AugmentBy | null, shape?: VisionShape): BatchImages;
  /** Features `[N, hiddenSize]` of images, which must be loaded: each image's where `places` says, padding behind. */
  features(params: Params, paths: readonly string[], augmentBy?: AugmentBy | null): Tensor;
  /** Where the features of the images of a batch stand. */
  places(paths: readonly string[]): ImagePlace[];
  /** The tokens of a user turn after an image (null: no image), with the assistant's turn opened. */
  prompt(text: string, image: ImagePlace | null): PromptRow;
  /** What `make` returned for an equal `key`: training runs of equal settings share their compiled steps. */
  compiled<F>(key: readonly unknown[], make: () => F): F;
  /** A bench on other images that shares the compiled functions. */
  withImages(images: RunImages): Workbench;
  dispose(): void;
}

/** Options of `createWorkbench`. */
export interface WorkbenchOptions {
  config: ModelConfig;
  processor: Processor;
  /** Owned by the bench. */
  images: RunImages;
  /** Batches of images that are alike are padded to a multiple of this, so that few shapes are compiled. */
  imageBucket?: number;
  /** Matrix products of sampling and of features in bfloat16. */
  bf16?: boolean;
}

/** Prompts that are kept with their tokens. */
const KEPT_PROMPTS = 1024;

/** Sets up a bench. */
export function createWorkbench(options: WorkbenchOptions): Workbench {
  const { config, processor, imageBucket = 16, bf16 = false } = options;
  const encode = compile(
    (params: Params, { pixelValues, vision }: BatchImages) => encodeImages(params, config, pixelValues, vision),
    { name: "images.encode", bf16 },
  );
  const { tokenizer } = processor;
  const steps = new Map<string, unknown>();
  const shared = {
    config,
    processor,
    generator: createGenerator(config, { bf16 }),
    eosTokenIds: [tokenizer.tokenId("<|im_end|>"), tokenizer.tokenId("<|endoftext|>")],
    bannedTokenIds: NEVER_SAMPLED.map((token) => tokenizer.tokenId(token)),
    prompt: createPrompts(config, processor),
    compiled: <F>(key: readonly unknown[], make: () => F): F => {
      const name = JSON.stringify(key);
      if (!steps.has(name)) steps.set(name, make());
      return steps.get(name) as F;
    },
  };
  const withImages = (images: RunImages): Workbench => ({
    ...shared,
    ...onImages({ config, images, imageBucket, encode, format: processor.imageConfig }),
    images,
    withImages,
    dispose: () => images.dispose(),
  });
  return withImages(options.images);
}

/** Special tokens that no response may hold: they stand for features, of which there would be none. */
const NEVER_SAMPLED = ["<|image_pad|>", "<|video_pad|>", "<|vision_pad|>", "<|vision_start|>", "<|vision_end|>"];

/** What a bench does with the images of a run. */
function onImages({
  config,
  images,
  imageBucket,
  encode,
  format,
}: Required<Pick<WorkbenchOptions, "config" | "images" | "imageBucket">> & {
  encode: (tower: Params, inputs: BatchImages) => Tensor;
  format: PatchFormat;
}): Pick<Workbench, "shape" | "batch" | "features" | "places"> {
  const shape: Workbench["shape"] = (paths) => {
    const own = visionShape(config, paths.map(images.grid));
    return images.uniform ? own : roomyShape(config, own);
  };
  const batch: Workbench["batch"] = (paths, augmentBy = null, padded = shape(paths)) => {
    const plan = visionPlan(config, paths.map(images.grid), padded);
    const pixelValues = changedPatches(images, paths, augmentBy, format);
    const [own, width] = pixelValues.shape as [number, number];
    if (own === plan.patches) return { pixelValues, vision: visionInputs(plan) };
    const filled = tf.tidy(() => tf.concat([pixelValues, tf.zeros([plan.patches - own, width])], 0));
    pixelValues.dispose();
    return { pixelValues: filled, vision: visionInputs(plan) };
  };
  const features: Workbench["features"] = (params, paths, augmentBy = null) => {
    const tower = Object.fromEntries(Object.entries(params).filter(([name]) => name.startsWith("visual.")));
    const count = images.uniform && !augmentBy ? Math.ceil(paths.length / imageBucket) * imageBucket : paths.length;
    const inputs = batch(
      Array.from({ length: count }, (_, i) => paths[Math.min(i, paths.length - 1)]),
      augmentBy,
    );
    const all = encode(tower, inputs);
    disposeTree(inputs);
    return all;
  };
  return { shape, batch, features, places: (paths) => imagePlaces(config, paths.map(images.grid)) };
}

/** Tokens of user turns, the last of them kept. */
function createPrompts(config: ModelConfig, processor: Processor): Workbench["prompt"] {
  const prompts = new Map<string, PromptRow>();
  return (text, image) => {
    const grids = image ? [image.grid] : [];
    const key = `${grids.join()}:${text}`;
    let row = prompts.get(key);
    if (!row) {
      const parts = [
        { type: "image" as const, image: "" },
        { type: "text" as const, text },
      ];
      const { inputIds } = processor.promptIds([{ role: "user", content: image === null ? text : parts }], grids);
      const { temporal, height, width } = ropePositions(config, inputIds, grids);
      let placed = 0;
      const featureIndex = inputIds.map((id) => (id === config.imageTokenId ? placed++ : -1));
      row = { inputIds, positionIds: [temporal, height, width].map((axis) => Array.from(axis)), featureIndex };
      if (prompts.size >= KEPT_PROMPTS) prompts.clear();
      prompts.set(key, row);
    }
    if (image === null || image.first === 0) return row;
    return { ...row, featureIndex: row.featureIndex.map((index) => (index < 0 ? -1 : index + image.first)) };
  };
}

/**
 * A bench on squares of `imageSize` pixels, all loaded at once.
 * @throws Error where an image is missing or of another size
 */
export async function squareWorkbench(
  options: Omit<WorkbenchOptions, "images"> & {
    paths: readonly string[];
    imageSize: number;
    loadImage: (path: string) => Promise<{ data: Uint8Array; width: number; height: number }>;
  },
): Promise<Workbench> {
  const bank = await loadImageBank(options.paths, options.imageSize, options.loadImage);
  return createWorkbench({ ...options, images: squareImages(bank, options.processor.imageConfig) });
}
