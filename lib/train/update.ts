/**
 * One optimizer update: forward, loss, backward, clipping and AdamW. A mini-batch that comes in one part is one compiled call;
 * in several (gradient accumulation) their gradients are summed first, which changes memory and nothing else.
 */
import { compile, type CompileOptions } from "../engine/compile";
import { valueAndGradients } from "../engine/gradients";
import { adamWUpdate, clipByGlobalNorm, type AdamWOptions, type AdamWState } from "../engine/optimizer";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { mapParams } from "../engine/tree";

/** The mini-batch that a part belongs to. */
export interface Whole {
  /** Its scored tokens (scalar): what a token mean divides by. */
  tokens: Tensor;
  /** How many parts a full one comes in. */
  parts: number;
}

/** What a part contributes. */
export interface PartLoss {
  /** Scalar; the parts' losses add up to the mini-batch's. */
  loss: Tensor;
  /** Scored tokens of this part (scalar): the weight of its metrics. */
  tokens: Tensor;
  /** Scalars, means over this part's tokens. */
  metrics: Params;
}

/** What an update is made of. */
export interface UpdateOptions<B> {
  /** As `engineStats()` calls it. */
  name: string;
  loss: (params: Params, batch: B, whole: Whole) => PartLoss;
  /** Names that are trained. */
  trainable: (params: Params) => string[];
  optimizer: AdamWOptions;
  maxGradNorm: number;
  /** Change nothing where the gradient norm is not finite (metric `skipped` is then 1). */
  skipNotFinite: boolean;
  /** Parts of a full mini-batch. */
  parts: number;
  compile: Pick<CompileOptions, "bf16" | "xla" | "eager">;
}

/** New parameters, optimizer state, and metrics (scalars, `loss`, `gradNorm` and `skipped` among them). */
export interface Updated {
  params: Params;
  state: AdamWState;
  metrics: Params;
}

/**
 * @param batches the mini-batch's parts that are not empty, at least one, of equal shapes where they shall share a trace
 * @param tokens scored tokens of all parts
 * @param learningRate scalar
 */
export type Update<B> = (params: Params, state: AdamWState, batches: readonly B[], tokens: number, learningRate: Tensor) => Updated;

/** An update uses up the parameters and the state it is given (they are disposed); its other arguments stay the caller's. */
export function createUpdate<B>({ name, loss, trainable, optimizer, maxGradNorm, skipNotFinite, parts, compile: how }: UpdateOptions<B>): Update<B> {
  const differentiate = (params: Params, batch: B, whole: Whole): { gradients: Params; metrics: Params } => {
    const out = valueAndGradients(params, trainable(params), (p) => {
      const part = loss(p, batch, whole);
      const share = tf.div(part.tokens, tf.maximum(whole.tokens, 1));
      return { loss: part.loss, metrics: mapParams(part.metrics, (metric) => tf.mul(metric, share)) };
    });
    return { gradients: out.gradients, metrics: { ...out.metrics, loss: out.loss } };
  };
  const apply = (params: Params, state: AdamWState, gradients: Params, learningRate: Tensor): Updated => {
    const clipped = clipByGlobalNorm(gradients, maxGradNorm);
    if (!skipNotFinite) return { ...adamWUpdate(params, clipped.gradients, state, learningRate, optimizer), metrics: { gradNorm: clipped.norm } };
    const finite = tf.cast(tf.isFinite(clipped.norm), "float32");
    const safe = mapParams(clipped.gradients, (g) => tf.where(tf.greater(finite, 0), g, tf.zerosLike(g)));
    return { ...adamWUpdate(params, safe, state, learningRate, optimizer, finite), metrics: { gradNorm: clipped.norm, skipped: tf.sub(1, finite) } };
  };
  const whole = compile(
    (params: Params, state: AdamWState, batch: B, tokens: Tensor, learningRate: Tensor): Updated => {
      const { gradients, metrics } = differentiate(params, batch, { tokens, parts });
      const updated = apply(params, state, gradients, learningRate);
      return { ...updated, metrics: { ...metrics, ...updated.metrics } };
    },
    { ...how, name, donate: [0, 1] },
  );
  const part = compile(differentiate, { ...how, name: `${name}.gradients` });
  const sum = compile((a: Params, b: Params) => mapParams(a, (x, key) => tf.add(x, b[key])), { eager: how.eager, name: `${name}.sum`, donate: [0, 1] });
  const finish = compile(apply, { eager: how.eager, name: `${name}.apply`, donate: [0, 1, 2] });

  return (params, state, batches, tokenCount, learningRate) => {
    const tokens = tf.scalar(tokenCount);
    const [first, ...others] = batches;
    try {
      if (others.length === 0) return whole(params, state, first, tokens, learningRate);
      const of = { tokens, parts };
      let total = part(params, first, of);
      for (const batch of others) {
        const next = part(params, batch, of);
        total = { gradients: sum(total.gradients, next.gradients), metrics: sum(total.metrics, next.metrics) };
      }
      const updated = finish(params, state, total.gradients, learningRate);
      return { ...updated, metrics: { ...total.metrics, ...updated.metrics } };
    } finally {
      tokens.dispose();
    }
  };
}
