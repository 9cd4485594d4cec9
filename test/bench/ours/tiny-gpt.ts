/**
 * The small decoder of `train-step` on this project's engine: tied embeddings, rotary positions, RMSNorm, SwiGLU,
 * causal attention, next-token loss, Adam. `peers/train_step.py` and `peers/train-step-jax.mjs` are the same model.
 */
import { attention } from "../../../lib/engine/attention";
import { compile, type CompileOptions } from "../../../lib/engine/compile";
import { gatherRows } from "../../../lib/engine/gather";
import { valueAndGradients } from "../../../lib/engine/gradients";
import { linear } from "../../../lib/engine/linear";
import { rmsNorm, rotaryTablesOf } from "../../../lib/engine/ops";
import { swigluMlp } from "../../../lib/engine/swiglu-mlp";
import { adamWDefaults, adamWUpdate, type AdamWState } from "../../../lib/engine/optimizer";
import { tf, type Params, type Tensor } from "../../../lib/engine/tensorflow";
import { tokenLogProbs } from "../../../lib/loss/log-probs";
import type { GptSize } from "./tiny-gpt-data";

/** Mean next-token loss. @param ids, targets int32 [b * t] */
function gptLoss(params: Params, { d, layers, heads, b, t }: GptSize, ids: Tensor, targets: Tensor): Tensor {
  const headDim = d / heads;
  const inverse = Float32Array.from({ length: headDim / 2 }, (_, i) => 10000 ** ((-2 * i) / headDim));
  const tables = rotaryTablesOf(tf.range(0, t, 1, "float32").reshape([1, t, 1, 1]).mul(tf.tensor1d(inverse)));
  const split = (x: Tensor): Tensor => x.reshape([b, t, heads, headDim]);
  let x: Tensor = gatherRows(params.emb, ids);
  for (let l = 0; l < layers; l++) {
    const p = (name: string): Tensor => params[`l${l}.${name}`];
    const h = rmsNorm(x, p("n1"), 1e-6);
    const [q, k, v] = [p("q"), p("k"), p("v")].map((weight) => split(linear(h, weight)));
    const mixed = attention(q, k, v, { causal: true, rotary: tables });
    x = x.add(linear(mixed.reshape([b * t, d]), p("o")));
    const h2 = rmsNorm(x, p("n2"), 1e-6);
    const [gate, up, down] = [p("g"), p("u"), p("d")].map((weight) => ({ weight, bias: null }));
    x = x.add(swigluMlp(h2, gate, up, down));
  }
  const logits = linear(rmsNorm(x, params.nf, 1e-6), params.emb) as tf.Tensor2D;
  return tokenLogProbs(logits, targets as tf.Tensor1D)
    .mean()
    .neg();
}

/** Loss, gradients and Adam (learning rate 1e-3) as one compiled function. */
export function gptStep(size: GptSize, options: CompileOptions) {
  const adam = { ...adamWDefaults, weightDecay: 0 };
  return compile(
    (params: Params, state: AdamWState, ids: Tensor, targets: Tensor) => {
      const { loss, gradients } = valueAndGradients(params, Object.keys(params), (p) => ({
        loss: gptLoss(p, size, ids, targets),
        metrics: {},
      }));
      return { loss, ...adamWUpdate(params, gradients, state, tf.scalar(1e-3), adam) };
    },
    { name: "bench.train-step", ...options },
  );
}
