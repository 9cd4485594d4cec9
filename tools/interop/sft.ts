/** Stage 1 here, on the records of an export. */
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { cotData } from "../../lib/experiment/cot";
import { conversationOf, sftModel, sftBench } from "../../lib/experiment/sft";
import type { Experiment } from "../../lib/experiment/types";
import { sftLoss } from "../../lib/loss/sft";
import { encodeImages } from "../../lib/model/vision";
import { conversationRow, type MaskOptions } from "../../lib/processor/conversation";
import { rowBatch } from "../../lib/train/batch";
import { rowLogProbs } from "../../lib/train/row-log-probs";
import type { SftLog } from "../../lib/train/sft";

/** The logged steps of this project's training. */
export async function ownSft(experiment: Experiment): Promise<SftLog[]> {
  const { params, log } = await sftModel(experiment, "sft");
  disposeTree(params);
  return log;
}

/** Loss of the base on all records as one batch, and how many tokens are scored. */
export async function firstLoss(
  experiment: Experiment,
  params: Params,
  mask: MaskOptions = {},
): Promise<{ loss: number; tokens: number; rows: number }> {
  const data = await cotData(experiment);
  const { bench } = await sftBench(experiment, data);
  const names = data.records.map(({ record }) => record.image);
  await bench.images.load(names);
  const places = bench.places(names);
  const rows = data.records.map(({ record }, i) => [
    {
      ...conversationRow(conversationOf(record), bench.processor, bench.images.grid(record.image), mask),
      image: places[i],
    },
  ]);
  const batch = rowBatch(rows, bench.config, { lengthBucket: 1, placesBucket: 1 });
  const images = bench.batch(names);
  const loss = tf.tidy(() => {
    const features = encodeImages(params, bench.config, images.pixelValues, images.vision);
    return sftLoss(rowLogProbs(params, bench.config, features, batch, 1), batch.weights as tf.Tensor).dataSync()[0];
  });
  disposeTree(images, batch);
  return {
    loss,
    tokens: rows.flat().reduce((n, { predicted }) => n + predicted.filter(Boolean).length, 0),
    rows: rows.length,
  };
}
