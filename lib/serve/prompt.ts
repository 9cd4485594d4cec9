/** Messages with images to what the model reads. */
import { compile, type CompileOptions } from "../engine/compile";
import { roundedUp } from "../engine/buckets";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import type { ModelConfig } from "../model/config";
import { encodeImages } from "../model/vision";
import { visionInputs, visionPlan, type VisionInputs } from "../model/vision-plan";
import { collate } from "../processor/collate";
import { imageFormat } from "../processor/image-beginning";
import { readImageHeader, reasonOf } from "../processor/image-decode";
import { disposeImage, type ProcessedImage } from "../processor/image-processor";
import type { Processor } from "../processor/processor";
import type { PromptRow } from "../rollout/types";
import { badField } from "./api-error";
import type { SentMessages } from "./messages";
import { boundTraces } from "./traces";

/** A prompt on the host. */
export interface HostPrompt {
  row: PromptRow;
  images: readonly ProcessedImage[];
}

const FORMATS: ReadonlySet<string> = new Set(["jpeg", "png", "webp", "gif", "bmp"]);

/** An image's pixels, once its header says that it is small enough and of a format that is read. @throws ApiError */
async function readSentImage(
  processor: Processor,
  { bytes, param }: SentMessages["images"][number],
  mostPixels: number,
): Promise<ProcessedImage> {
  const fail = (error: unknown): never => {
    throw badField(param, `can't be read as an image (${reasonOf(error)})`, "invalid_image");
  };
  if (!FORMATS.has(imageFormat(bytes) ?? ""))
    throw badField(param, "its bytes are no JPEG, PNG, WebP, GIF or BMP", "invalid_image");
  const { width, height } = await readImageHeader(bytes).catch(fail);
  if (width * height > mostPixels)
    throw badField(
      param,
      `an image of ${width} x ${height} pixels; at most ${mostPixels} are taken`,
      "image_too_large",
    );
  return processor.image(bytes).catch(fail);
}

/** Tokens and images of messages; images are read one after the other. @throws ApiError naming the image */
export async function hostPrompt(
  config: ModelConfig,
  processor: Processor,
  { messages, images: sent }: SentMessages,
  mostPixels: number,
): Promise<HostPrompt> {
  const images: ProcessedImage[] = [];
  try {
    for (const image of sent) images.push(await readSentImage(processor, image, mostPixels));
    const { inputIds } = processor.promptIds(
      messages,
      images.map(({ grid }) => grid),
    );
    const host = collate(config, [{ inputIds, images }], { padTokenId: config.padTokenId ?? 0 });
    const { length } = host;
    const positionIds = [0, 1, 2].map((axis) =>
      Array.from(host.positionIds.subarray(axis * length, (axis + 1) * length)),
    );
    return { row: { inputIds, positionIds, featureIndex: Array.from(host.featureIndex) }, images };
  } catch (error) {
    images.forEach((image) => disposeImage(image));
    throw error;
  }
}

/** Rows of features are padded to a multiple of this, so that few shapes are compiled. */
const FEATURE_BUCKET = 64;
/** A function that gives the features of a prompt's images, `[N,hiddenSize]`: each image encoded by itself. */
export function createImageEncoder(
  config: ModelConfig,
  options: CompileOptions,
): (params: Params, images: readonly ProcessedImage[]) => Tensor {
  const encode = compile(
    (weights: Params, pixels: Tensor, vision: VisionInputs) => encodeImages(weights, config, pixels, vision),
    { name: "serve.images", ...options },
  );
  return (params, images) => {
    boundTraces("serve.images");
    const tower = Object.fromEntries(Object.entries(params).filter(([name]) => name.startsWith("visual.")));
    const parts: Tensor[] = [];
    try {
      for (const { pixelValues, grid } of images) {
        const plan = visionPlan(config, [grid]);
        const inputs = {
          pixels: tf.tensor2d(pixelValues, [plan.patches, pixelValues.length / plan.patches]),
          vision: visionInputs(plan),
        };
        try {
          parts.push(encode(tower, inputs.pixels, inputs.vision));
        } finally {
          disposeTree(inputs);
        }
      }
      const rows = parts.reduce((sum, part) => sum + part.shape[0], 0);
      parts.push(tf.zeros([roundedUp(Math.max(rows, 1), FEATURE_BUCKET) - rows, config.text.hiddenSize]));
      return tf.concat(parts, 0);
    } finally {
      disposeTree(parts);
    }
  };
}
