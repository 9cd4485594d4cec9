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
import { visionInputs, visionPlan, type Grid, type VisionInputs } from "../model/vision-plan";
import type { Processor } from "../processor/processor";
import { createGenerator, type Generator } from "../rollout/generate";
import type { PromptRow } from "../rollout/types";
import { augment, toPatches, type Augmentation } from "./augment";
import { loadImageBank, type ImageBank } from "./images";

/** Everything but the parameters. */
export interface Workbench {
  config: ModelConfig;
  processor: Processor;
  bank: ImageBank;
  generator: Generator;
  /** Grid of every image in patches. */
  grid: Grid;
  tokensPerImage: number;
  /** Token ids that end a response, and that are never sampled. */
  eosTokenIds: number[];
  bannedTokenIds: number[];
  /** The plan of `count` images, kept; don't dispose. */
  vision(count: number): VisionInputs;
  /** Patches of images of the bank, augmented where asked: what the vision tower reads. */
  patches(paths: readonly string[], augmentation?: Augmentation): Tensor;
  /** Features `[paths.length * tokensPerImage, hiddenSize]` of images of the bank, augmented where asked. */
  features(params: Params, paths: readonly string[], augmentation?: Augmentation): Tensor;
  /** The tokens of a user turn after an image (null: no image), with the assistant's turn opened. */
  prompt(text: string, image: number | null): PromptRow;
  /** What `make` returned for an equal `key`: training runs of equal settings share their compiled steps. */
  compiled<F>(key: readonly unknown[], make: () => F): F;
  dispose(): void;
}

/** Options of `createWorkbench`. */
export interface WorkbenchOptions {
  config: ModelConfig;
  processor: Processor;
  /** Paths of all images of the run; equal squares of `imageSize` pixels. */
  images: readonly string[];
  imageSize: number;
  loadImage: (path: string) => Promise<{ data: Uint8Array; width: number; height: number }>;
  /** Image batches are padded to a multiple of this, so that few shapes are compiled. */
  imageBucket?: number;
}

/** Sets up a bench. @throws Error where an image is missing or of another size */
export async function createWorkbench(options: WorkbenchOptions): Promise<Workbench> {
  const { config, processor, imageSize } = options;
  const { patchSize, mergeSize } = processor.imageConfig;
  const side = imageSize / patchSize;
  const grid: Grid = [1, side, side];
  const tokensPerImage = (side / mergeSize) ** 2;
  const bank = await loadImageBank(options.images, imageSize, options.loadImage);
  const plans = new Map<number, VisionInputs>();
  const vision = (count: number): VisionInputs => {
    let plan = plans.get(count);
    if (!plan) plans.set(count, (plan = visionInputs(visionPlan(config, new Array<Grid>(count).fill(grid)))));
    return plan;
  };
  const cut = compile(
    (images: Tensor, ids: Tensor, augmentation: Augmentation | null) => {
      const chosen = tf.gather(images, ids as tf.Tensor1D);
      return toPatches(augmentation ? augment(chosen, augmentation) : chosen, processor.imageConfig);
    },
    { name: "images.patches" },
  );
  const encode = compile((params: Params, pixelValues: Tensor, plan: VisionInputs) => encodeImages(params, config, pixelValues, plan), { name: "images.encode" });
  const patches = (paths: readonly string[], augmentation?: Augmentation): Tensor => {
    const ids = tf.tensor1d(paths.map((path) => bank.indexOf(path)), "int32");
    const cutOut = cut(bank.images, ids, augmentation ?? null);
    ids.dispose();
    return cutOut;
  };
  const bucket = options.imageBucket ?? 16;
  const features = (params: Params, paths: readonly string[], augmentation?: Augmentation): Tensor => {
    const tower = Object.fromEntries(Object.entries(params).filter(([name]) => name.startsWith("visual.")));
    const count = augmentation ? paths.length : Math.ceil(paths.length / bucket) * bucket;
    const pixelValues = patches(Array.from({ length: count }, (_, i) => paths[Math.min(i, paths.length - 1)]), augmentation);
    const all = encode(tower, pixelValues, vision(count));
    pixelValues.dispose();
    return all;
  };
  const steps = new Map<string, unknown>();
  const prompts = new Map<string, PromptRow>();
  const prompt = (text: string, image: number | null): PromptRow => {
    const key = `${image === null ? "text" : "image"}:${text}`;
    let row = prompts.get(key);
    if (!row) {
      const content = image === null ? text : [{ type: "image" as const, image: "" }, { type: "text" as const, text }];
      const { inputIds } = processor.promptIds([{ role: "user", content }], image === null ? [] : [grid]);
      const { temporal, height, width } = ropePositions(config, inputIds, image === null ? [] : [grid]);
      let placed = 0;
      const featureIndex = inputIds.map((id) => (id === config.imageTokenId ? placed++ : -1));
      prompts.set(key, (row = { inputIds, positionIds: [temporal, height, width].map((axis) => Array.from(axis)), featureIndex }));
    }
    if (image === null || image === 0) return row;
    return { ...row, featureIndex: row.featureIndex.map((index) => (index < 0 ? -1 : index + image * tokensPerImage)) };
  };
  return {
    config,
    processor,
    bank,
    grid,
    tokensPerImage,
    generator: createGenerator(config),
    eosTokenIds: [processor.tokenizer.tokenId("<|im_end|>"), processor.tokenizer.tokenId("<|endoftext|>")],
    bannedTokenIds: ["<|image_pad|>", "<|video_pad|>", "<|vision_pad|>", "<|vision_start|>", "<|vision_end|>"].map((token) => processor.tokenizer.tokenId(token)),
    vision,
    patches,
    features,
    prompt,
    compiled: <F>(key: readonly unknown[], make: () => F): F => {
      const name = JSON.stringify(key);
      if (!steps.has(name)) steps.set(name, make());
      return steps.get(name) as F;
    },
    dispose: () => {
      disposeTree([...plans.values()]);
      plans.clear();
      bank.dispose();
    },
  };
}
