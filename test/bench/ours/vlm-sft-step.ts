/**
 * SFT steps on 16 rationales with an image each: vision tower, decoder, loss on the response, gradients of all
 * parameters, clipping, AdamW, loss and norm read back. Five a run: a single one would measure caches that the other
 * side left cold.
 *
 * Equal on both sides: weights, rows, images, optimizer (betas, decay on matrices only), float32 or bf16 matrix
 * products; the losses of the first steps agree. Not equal: this side packs short rows together, the peer pads them.
 * Both get patches and positions ready made, and leave out the logits of the prompts.
 */
import { adamWInit } from "../../../lib/engine/optimizer";
import { tf } from "../../../lib/engine/tensorflow";
import { disposeTree, mapParams } from "../../../lib/engine/tree";
import { rowBatch } from "../../../lib/train/batch";
import { packLengths } from "../../../lib/train/pack";
import { createSftStep } from "../../../lib/train/sft";
import type { BenchCase } from "../types";
import { words } from "../variant";
import { open, parameters, sftRows } from "./vlm";

const ROWS = 16;

export async function setUp(variant: string): Promise<BenchCase> {
  const experiment = await open();
  const { bench, settings, base } = experiment;
  const rows = sftRows(experiment, ROWS);
  const lengths = rows.map(({ inputIds }) => inputIds.length);
  const {
    pack = 1,
    steps = 5,
    bf16,
    xla,
  } = words(variant) as { pack?: number; steps?: number; bf16?: boolean; xla?: boolean };
  const paths = rows.map(({ image }) => image);
  const places = bench.places(paths);
  const batch = {
    images: bench.batch(paths),
    rows: rowBatch(
      packLengths(lengths, pack * Math.max(...lengths)).map((bin) =>
        bin.map((image) => ({ ...rows[image], image: places[image] })),
      ),
      bench.config,
      { lengthBucket: 8, placesBucket: 8 },
    ),
    dropoutSeed: null,
  };
  const responseTokens = rows.reduce((n, { predicted }) => n + predicted.filter(Boolean).length, 0);
  const step = createSftStep(
    bench,
    { ...settings.sft, visionLearningRateScale: 1 },
    { bf16: bf16 === true, xla: xla === true },
  );
  const learningRate = tf.scalar(3e-4); // as the peer, whatever the experiment uses
  let params = mapParams(base, (p) => p.clone());
  let state = adamWInit(params);
  disposeTree(
    step(
      mapParams(base, (p) => p.clone()),
      adamWInit(base),
      [batch],
      responseTokens,
      learningRate,
    ),
  ); // recorded here: the first run is a compiled step too, in bf16 as well
  const work = {
    steps,
    rows: ROWS,
    images: ROWS,
    tokens: rows.reduce((n, { inputIds }) => n + inputIds.length, 0),
    responseTokens,
    parameters: parameters(base),
  };
  return {
    run: () => {
      let value = NaN;
      for (let i = 0; i < steps; i++) {
        const next = step(params, state, [batch], responseTokens, learningRate);
        [value] = [next.metrics.loss, next.metrics.gradNorm].map((metric) => metric.dataSync()[0]);
        disposeTree(next.metrics);
        [params, state] = [next.params, next.state];
      }
      return value;
    },
    work,
    dispose: () => {
      disposeTree(params, state, batch, learningRate);
      experiment.close();
    },
  };
}
