/**
 * Ten training steps of the small decoder: 2,048 tokens, loss, gradients of all parameters, Adam, the loss read back
 * each step.
 *
 * Variants are words joined by commas: `f32` or `bf16` (matrix products), `xla`, and sizes
 * (`b=32,t=128,d=192,layers=6,steps=2`). Equal on both sides: model, initial weights, data, optimizer; the losses
 * agree. In bf16 both keep parameters and all but matrix products in float32 (the peer by autocast).
 */
import { adamWInit, type AdamWState } from "../../../lib/engine/optimizer";
import { tf, type Params } from "../../../lib/engine/tensorflow";
import { disposeTree } from "../../../lib/engine/tree";
import type { BenchCase } from "../types";
import { numbers, words } from "../variant";
import { gptStep } from "./tiny-gpt";
import { gptBatch, gptValues, TINY } from "./tiny-gpt-data";

export function setUp(variant: string): Promise<BenchCase> {
  const { bf16, xla } = words(variant);
  const { steps, ...size } = numbers(variant, { ...TINY, steps: 10 }, ["f32", "bf16", "xla"]);
  const step = gptStep(size, { bf16: bf16 === true, xla: xla === true });
  let params: Params = Object.fromEntries(
    gptValues(size).map(([name, shape, values]) => [name, tf.tensor(values, shape)]),
  );
  let state: AdamWState = adamWInit(params);
  const batch = gptBatch(size);
  const [ids, targets] = [batch.ids, batch.targets].map((values) => tf.tensor1d(values, "int32"));
  return Promise.resolve({
    run: () => {
      let value = NaN;
      for (let i = 0; i < steps; i++) {
        const next = step(params, state, ids, targets);
        value = next.loss.dataSync()[0];
        disposeTree(params, state, next.loss);
        [params, state] = [next.params, next.state];
      }
      return value;
    },
    work: { steps, tokens: size.b * size.t, parameters: Object.values(params).reduce((n, p) => n + p.size, 0) },
    dispose: () => disposeTree(params, state, ids, targets),
  });
}
