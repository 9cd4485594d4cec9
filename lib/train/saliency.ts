/**
 * Where a response looks: the gradient of the log-prob of some of its tokens with respect to the image's pixels, one
 * number for each place of the image that the decoder sees as one token.
 *
 * This is the saliency of Simonyan et al. 2014 (arXiv 1312.6034, section 3), with the norm over a place's pixels for
 * their maximum over channels. It says where a small change of the image would change the log-prob most. Gradient times
 * input (Shrikumar et al. 2016, arXiv 1605.01713) instead measures against a black image, or here, where pixels are
 * normalised, a grey one: on a white ground it would show the ground.
 */
import { valueAndGradients } from "../engine/gradients";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { compile } from "../engine/compile";
import { disposeTree } from "../engine/tree";
import { encodeImages } from "../model/vision";
import type { ImagePlace } from "../model/vision-plan";
import { patchesToImage } from "../processor/patches-to-image";
import type { PreprocessorConfig } from "../processor/preprocessor-config";
import type { RgbImage } from "../processor/resize";
import { firstAnswerRange } from "../reward";
import type { Group } from "../rollout/groups";
import type { GroupBatch } from "./group-batch";
import { groupLogProbs } from "./group-log-probs";
import { groupViews, VIEWS } from "./group-views";
import { groupRows } from "./rl-rollouts";
import { withNegative } from "./rl-step";
import type { RlSettings } from "./settings";
import { tokenTexts } from "./token-scores";
import type { BatchImages, Workbench } from "./workbench";

/** First token, and the one after the last. */
export type TokenSpan = [start: number, end: number];

/** Saliency under one image. */
export interface SaliencyMap {
  source: "anchor" | "positive" | "negative";
  /** What the model saw, augmented where the group's images were. */
  image: RgbImage;
  /** Places from top to bottom and from left to right; each is `mergeSize * patchSize` pixels high and wide. */
  rows: number;
  columns: number;
  /** `[rows * columns]`, row by row, in [0, 1], sum 1; all 0 where nothing of the image matters. */
  values: number[];
  /** What was divided by: the sum of the norms, in log-prob (nats) a unit of the normalised pixel values. */
  total: number;
  /** Of the span's tokens, summed, nats. */
  logProb: number;
}

/** Of one response. */
export interface ImageSaliency {
  /** Texts of the response's tokens. */
  tokens: string[];
  /** Whose log-probs are explained. */
  span: TokenSpan;
  /** Under the image that the update conditions on (`conditionOn`). */
  own: SaliencyMap;
  /** The same tokens with the negative image in its place. */
  negative: SaliencyMap;
}

export interface SaliencyOptions {
  settings: RlSettings;
  /** Which of the group's responses, 0 unless given. */
  rollout?: number;
  /** Which tokens of it, `answerSpan` unless given. */
  span?: TokenSpan;
  bf16?: boolean;
}

/**
 * The tokens of the text inside the first `<answer>...</answer>`; the last token where there is no such text.
 * @param tokens their texts (`tokenTexts`), at least one
 */
export function answerSpan(tokens: readonly string[]): TokenSpan {
  const [from, to] = firstAnswerRange(tokens.join("")) ?? [0, 0];
  let at = 0;
  const inside = tokens.flatMap((text, i) => {
    const start = at;
    at += text.length;
    // the first tokens of a character add no text: they belong to what follows
    return start < to && (at > from || (text === "" && start >= from)) ? [i] : [];
  });
  if (from === to || inside.length === 0) return [tokens.length - 1, tokens.length];
  return [inside[0], inside[inside.length - 1] + 1];
}

/**
 * Norms of the gradient, one for each merge group of an image.
 * @param gradient `[patches, 3 * temporalPatchSize * patchSize²]` of a batch, patches grouped by merge block
 * @returns `[h / mergeSize * w / mergeSize]`, row by row: the L2 norm over the group's pixels. A pixel stands in all
 * frames of its patch: its derivative is the sum of theirs.
 */
export function patchNorms(
  { patchSize, temporalPatchSize: frames, mergeSize }: PreprocessorConfig,
  gradient: ArrayLike<number>,
  { grid: [, height, width], first }: ImagePlace,
): number[] {
  const [unit, area] = [mergeSize ** 2, patchSize ** 2];
  return Array.from({ length: (height * width) / unit }, (_, group) => {
    let squares = 0;
    for (let row = 0; row < unit * 3; row++) {
      const start = ((first + group) * unit * 3 + row) * frames * area;
      for (let i = 0; i < area; i++) {
        let derivative = 0;
        for (let frame = 0; frame < frames; frame++) derivative += gradient[start + frame * area + i];
        squares += derivative ** 2;
      }
    }
    return Math.sqrt(squares);
  });
}

/** `(params, images, rows, chosen [B,R])` to the chosen tokens' summed log-prob and its gradient by `pixelValues`. */
function createSaliencyStep(bench: Workbench, temperature: number, bf16: boolean) {
  const step = (params: Params, { pixelValues, vision }: BatchImages, rows: GroupBatch, chosen: Tensor) => {
    const logProb = (images: Params): Tensor => {
      const features = encodeImages(params, bench.config, images.pixelValues, vision);
      return tf.sum(tf.mul(groupLogProbs(params, bench.config, features, rows, temperature), chosen));
    };
    const { loss, gradients } = valueAndGradients({ pixelValues }, ["pixelValues"], (images) => ({
      loss: logProb(images),
      metrics: {},
    }));
    return { logProb: loss, gradient: gradients.pixelValues };
  };
  return compile(step, { name: "rl.saliency", bf16 });
}

function checkSpan([start, end]: TokenSpan, tokens: number): void {
  if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || end > tokens || start >= end)
    throw new Error(
      `imageSaliency: tokens ${start} to ${end} (not included) of a response of ${tokens}; expected 0 <= start < end <= ${tokens}`,
    );
}

/** What a batch's pixel values and their gradient say of the image at `place`. */
function mapUnder(
  config: PreprocessorConfig,
  { pixels, gradient }: { pixels: Float32Array; gradient: ArrayLike<number> },
  place: ImagePlace,
): Pick<SaliencyMap, "image" | "rows" | "columns" | "values" | "total"> {
  const { mergeSize, patchSize, temporalPatchSize } = config;
  const [, height, width] = place.grid;
  const ofPatch = 3 * temporalPatchSize * patchSize ** 2;
  const start = place.first * mergeSize ** 2 * ofPatch;
  const norms = patchNorms(config, gradient, place);
  const total = norms.reduce((a, b) => a + b, 0);
  return {
    image: patchesToImage(config, pixels.subarray(start, start + height * width * ofPatch), place.grid),
    rows: height / mergeSize,
    columns: width / mergeSize,
    values: norms.map((norm) => (total > 0 ? norm / total : 0)),
    total,
  };
}

/**
 * Where a group's response looks, in its own image and in the negative one. No tensor stays in memory.
 * @param params the policy; stays the caller's
 * @throws Error where the group has no such response, or the span is empty or outside the response; where the negative
 * has other patches than its anchor (`groupRows`)
 */
export async function imageSaliency(
  params: Params,
  bench: Workbench,
  group: Group,
  { settings, rollout = 0, span, bf16 = false }: SaliencyOptions,
): Promise<ImageSaliency> {
  const response = group.rollouts[rollout];
  if (response === undefined)
    throw new Error(`imageSaliency: response ${rollout} of a group of ${group.rollouts.length}, counted from 0`);
  const { tokenizer, imageConfig } = bench.processor;
  const tokens = tokenTexts((ids) => tokenizer.decode(ids, { skipSpecialTokens: false }), response.tokenIds);
  if (span) checkSpan(span, tokens.length);
  const chosenSpan = span ?? answerSpan(tokens);

  const alone = { ...group, rollouts: [response], advantages: [group.advantages[rollout]] };
  const { rows, images, negativeFeatureIndex, places } = groupRows([alone], bench, settings, 1);
  const views = groupViews(group, settings);
  const imagePlaces = bench.places(VIEWS.map((name) => views[name].path));
  const weights = Float32Array.from({ length: places }, (_, i) => (i >= chosenSpan[0] && i < chosenSpan[1] ? 1 : 0));
  const chosen = tf.tensor2d(weights, [1, places]);
  const held: unknown[] = [rows, negativeFeatureIndex, chosen];
  const step = bench.compiled(["rl.saliency", settings.temperature, bf16], () =>
    createSaliencyStep(bench, settings.temperature, bf16),
  );
  try {
    const batch = await images();
    held.push(batch);
    const pixels = batch.pixelValues.dataSync() as Float32Array;
    const mapOf = (source: SaliencyMap["source"], conditioned: GroupBatch): SaliencyMap => {
      const { logProb, gradient } = step(params, batch, conditioned, chosen);
      const place = imagePlaces[VIEWS.indexOf(source)];
      const of = { source, logProb: logProb.dataSync()[0] };
      const map = { ...of, ...mapUnder(imageConfig, { pixels, gradient: gradient.dataSync() }, place) };
      disposeTree(logProb, gradient);
      return map;
    };
    const own = mapOf(settings.conditionOn === "sampled" ? response.source : "anchor", rows);
    return { tokens, span: chosenSpan, own, negative: mapOf("negative", withNegative(rows, negativeFeatureIndex)) };
  } finally {
    disposeTree(...held);
  }
}
