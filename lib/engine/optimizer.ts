/**
 * AdamW and gradient clipping as pure functions: parameters, gradients and state in, parameters and state out.
 * Source: Loshchilov & Hutter 2019, as in torch.optim.AdamW; clipping as torch.nn.utils.clip_grad_norm_.
 */
import { tf, type Params, type Tensor } from "./tensorflow";

/** Settings of AdamW; the learning rate is an argument of each step. */
export interface AdamWOptions {
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled weight decay, applied to tensors of rank 2 and more only. */
  weightDecay: number;
  /** Factor on the learning rate of a tensor, by its name (1 where absent). */
  learningRateScale?: (name: string) => number;
}

export const adamWDefaults: AdamWOptions = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 };

/** First and second moments under the parameters' names, and the step count (float32 scalar). */
export interface AdamWState {
  step: Tensor;
  m: Params;
  v: Params;
}

/** Zero moments for every tensor in `params`, made in TensorFlow's memory (`tf.zeros` would make them in JavaScript's first). */
export function adamWInit(params: Params): AdamWState {
  const zeros = (): Params => Object.fromEntries(Object.entries(params).map(([name, p]) => [name, tf.fill(p.shape, 0)]));
  return { step: tf.scalar(0), m: zeros(), v: zeros() };
}

/** Global L2 norm over all gradients (scalar). */
export function globalNorm(gradients: Params): Tensor {
  return tf.tidy(() => tf.sqrt(tf.addN(Object.values(gradients).map((g) => tf.tidy(() => tf.sum(tf.square(g)))))));
}

/** Gradients scaled so that their global norm is at most `maxNorm`, and that norm before clipping. */
export function clipByGlobalNorm(gradients: Params, maxNorm: number): { gradients: Params; norm: Tensor } {
  const norm = globalNorm(gradients);
  const scale = tf.minimum(tf.div(maxNorm, tf.add(norm, 1e-6)), 1);
  return { gradients: Object.fromEntries(Object.entries(gradients).map(([name, g]) => [name, tf.mul(g, scale)])), norm };
}

/** The mean of gradients of a tensor after one more. */
export const firstMoment = (m: Tensor, g: Tensor, { beta1 }: AdamWOptions): Tensor => tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1));

/** The mean of squared gradients of a tensor after one more. */
export const secondMoment = (v: Tensor, g: Tensor, { beta2 }: AdamWOptions): Tensor => tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2));

/** The tensor `name` after its step. @param m moments with this step's gradient in them @param step scalar, 1 at the first step */
export function adamWStep(p: Tensor, m: Tensor, v: Tensor, step: Tensor, learningRate: Tensor, name: string, options: AdamWOptions): Tensor {
  const { beta1, beta2, epsilon, weightDecay } = options;
  const correction1 = tf.sub(1, tf.pow(beta1, step));
  const correction2 = tf.sqrt(tf.sub(1, tf.pow(beta2, step)));
  const rate = tf.mul(learningRate, options.learningRateScale?.(name) ?? 1);
  const denominator = tf.add(tf.div(tf.sqrt(v), correction2), epsilon);
  const decayed = p.rank >= 2 && weightDecay > 0 ? tf.mul(p, tf.sub(1, tf.mul(rate, weightDecay))) : p;
  return tf.sub(decayed, tf.mul(tf.div(rate, correction1), tf.div(m, denominator)));
}

/**
 * One AdamW step. Tensors without a gradient pass through unchanged; they need no state.
 * Where `apply` (scalar, 0 or 1) is 0 - a gradient norm that is not finite - nothing changes.
 * @param learningRate float32 scalar
 */
export function adamWUpdate(params: Params, gradients: Params, state: AdamWState, learningRate: Tensor, options: AdamWOptions, apply?: Tensor): { params: Params; state: AdamWState } {
  const step = apply ? tf.add(state.step, apply) : tf.add(state.step, 1);
  const keep = (updated: Tensor, old: Tensor): Tensor => (apply ? tf.where(tf.greater(apply, 0), updated, old) : updated);
  const out = { params: {} as Params, m: {} as Params, v: {} as Params };
  for (const [name, p] of Object.entries(params)) {
    const g = gradients[name];
    if (!g) {
      out.params[name] = p;
      if (state.m[name]) {
        out.m[name] = state.m[name];
        out.v[name] = state.v[name];
      }
      continue;
    }
    // each tensor's own tidy: traced, and run eagerly, no more than one tensor's steps are there at once
    [out.params[name], out.m[name], out.v[name]] = tf.tidy((): Tensor[] => {
      const m = firstMoment(state.m[name], g, options);
      const v = secondMoment(state.v[name], g, options);
      return [keep(adamWStep(p, m, v, step, learningRate, name, options), p), keep(m, state.m[name]), keep(v, state.v[name])];
    });
  }
  return { params: out.params, state: { step, m: out.m, v: out.v } };
}

/** Cosine schedule with linear warm-up: the factor on the peak learning rate at `step` (0-based) of `total`. */
export function cosineSchedule(step: number, total: number, warmupSteps: number, floor = 0): number {
  if (step < warmupSteps) return (step + 1) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, total - warmupSteps));
  return floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress));
}
