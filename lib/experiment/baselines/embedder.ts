/** Embeddings of the contrastive baseline's two towers. */
import { compile } from "../../engine/compile";
import { tf, type Params, type Tensor } from "../../engine/tensorflow";
import { disposeTree } from "../../engine/tree";
import {
  embedPooled,
  embedTexts,
  pooledFeatures,
  textInputs,
  type ContrastiveConfig,
  type TextInputs,
} from "../../model/contrastive";
import { visionInputs, visionPlan, type Grid, type VisionInputs } from "../../model/vision-plan";
import { toPatches } from "../../train/augment";
import type { ImageBank } from "../../train/images";
import type { Workbench } from "../../train/workbench";
import { nameCaption } from "./pairs";

/** Embeddings of images and texts on the host, in batches of equal size. */
export function createEmbedder(
  { config, params }: { config: ContrastiveConfig; params: Params },
  { processor }: Pick<Workbench, "processor">,
  bank: ImageBank,
  batchSize = 64,
) {
  const side = bank.size / processor.imageConfig.patchSize;
  const encode = compile(
    (p: Params, images: Tensor, ids: Tensor, plan: VisionInputs) =>
      embedPooled(
        p,
        pooledFeatures(
          p,
          config.towers,
          toPatches(tf.gather(images, ids as tf.Tensor1D), processor.imageConfig),
          plan,
          batchSize,
        ),
      ),
    { name: "contrastive.images" },
  );
  const read = compile((p: Params, texts: TextInputs) => embedTexts(p, config, texts), { name: "contrastive.texts" });
  /** Keyed vectors; the last batch is filled with its last item. */
  const batched = (keys: readonly string[], embed: (batch: readonly string[]) => Tensor): Map<string, Float32Array> => {
    const out = new Map<string, Float32Array>();
    for (let start = 0; start < keys.length; start += batchSize) {
      const rows = embed(Array.from({ length: batchSize }, (_, i) => keys[Math.min(start + i, keys.length - 1)]));
      const values = rows.dataSync() as Float32Array;
      keys
        .slice(start, start + batchSize)
        .forEach((key, i) => out.set(key, values.slice(i * config.projectionDim, (i + 1) * config.projectionDim)));
      rows.dispose();
    }
    return out;
  };
  return {
    images: (paths: readonly string[]): Map<string, Float32Array> => {
      const plan = visionInputs(visionPlan(config.towers, new Array<Grid>(batchSize).fill([1, side, side])));
      const out = batched([...new Set(paths)], (batch) => {
        const ids = tf.tensor1d(
          batch.map((image) => bank.indexOf(image)),
          "int32",
        );
        const rows = encode(params, bank.images, ids, plan);
        ids.dispose();
        return rows;
      });
      disposeTree(plan);
      return out;
    },
    names: (names: readonly string[]): Map<string, Float32Array> =>
      batched([...new Set(names)], (batch) => {
        const texts = textInputs(batch.map(nameCaption), config, (text) => processor.tokenizer.encode(text));
        const rows = read(params, texts);
        disposeTree(texts);
        return rows;
      }),
  };
}
