/**
 * AdamW and gradient clipping as pure functions: parameters, gradients and state in, parameters and state out.
 * Source: Loshchilov & Hutter 2019, as in torch.optim.AdamW; clipping as torch.nn.utils.clip_grad_norm_.
 */
import { callKernel, usesKernelsWithoutGradient } from "./kernels";
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

/**
 * Zero moments for every tensor in `params`, made in TensorFlow's memory (`tf.zeros` would make them in JavaScript's
 * first).
 */
export function adamWInit(params: Params): AdamWState {
  const zeros = (): Params =>
    Object.fromEntries(Object.entries(params).map(([name, p]) => [name, tf.fill(p.shape, 0)]));
  return { step: tf.scalar(0), m: zeros(), v: zeros() };
}

/** Global L2 norm over all gradients (scalar). */
export function globalNorm(gradients: Params): Tensor {
  const all = Object.values(gradients);
  return tf.tidy(() =>
    tf.sqrt(
      usesKernelsWithoutGradient()
        ? callKernel("SumOfSquares", all, 1, {}, { N: all.length })[0]
        : tf.addN(all.map((g) => tf.tidy(() => tf.sum(tf.square(g))))),
    ),
  );
}

/** The factor on gradients of that global norm after which it is at most `maxNorm` (scalar). */
export function clipFactor(norm: Tensor, maxNorm: number): Tensor {
  return tf.tidy(() => tf.minimum(tf.div(maxNorm, tf.add(norm, 1e-6)), 1));
}

/** The mean of gradients of a tensor after one more. */
export const firstMoment = (m: Tensor, g: Tensor, { beta1 }: AdamWOptions): Tensor =>
  tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1));

/** The mean of squared gradients of a tensor after one more. */
export const secondMoment = (v: Tensor, g: Tensor, { beta2 }: AdamWOptions): Tensor =>
  tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2));

/** What a step multiplies by, scalars: the same for all tensors of one learning rate and decay. */
interface StepFactors {
  /** Learning rate over the correction of the first moment. */
  rate: Tensor;
  /** Root of the second moment's correction. */
  correction2: Tensor;
  /** Factor on the parameter. */
  decay: Tensor;
}

/** @param step scalar, 1 at the first step @param decays whether the weight decays */
function stepFactors(
  step: Tensor,
  learningRate: Tensor,
  scale: number,
  decays: boolean,
  { beta1, beta2, weightDecay }: AdamWOptions,
): StepFactors {
  const rate = tf.mul(learningRate, scale);
  const correction = (beta: number): Tensor => tf.sub(1, tf.pow(beta, step));
  return {
    rate: tf.div(rate, correction(beta1)),
    correction2: tf.sqrt(correction(beta2)),
    decay: tf.sub(1, tf.mul(rate, decays ? weightDecay : 0)),
  };
}

const decays = (p: Tensor): boolean => p.rank >= 2;

/**
 * The tensor `name` after its step.
 * @param m moments with this step's gradient in them
 * @param step scalar, 1 at the first step
 */
export function adamWStep(
  p: Tensor,
  m: Tensor,
  v: Tensor,
  step: Tensor,
  learningRate: Tensor,
  name: string,
  options: AdamWOptions,
): Tensor {
  const { rate, correction2, decay } = stepFactors(
    step,
    learningRate,
    options.learningRateScale?.(name) ?? 1,
    decays(p),
    options,
  );
  const denominator = tf.add(tf.div(tf.sqrt(v), correction2), options.epsilon);
  return tf.sub(tf.mul(p, decay), tf.mul(rate, tf.div(m, denominator)));
}

/** What an update is told besides. */
export interface AdamWControl {
  /** Scalar, 0 or 1. Where it is 0 - a gradient norm that is not finite - nothing changes. */
  apply?: Tensor;
  /** Factor on all gradients (scalar): clipping. */
  gradientScale?: Tensor;
}

/**
 * One AdamW step. Tensors without a gradient pass through unchanged; they need no state.
 * @param learningRate float32 scalar
 */
export function adamWUpdate(
  params: Params,
  gradients: Params,
  state: AdamWState,
  learningRate: Tensor,
  options: AdamWOptions,
  { apply, gradientScale }: AdamWControl = {},
): { params: Params; state: AdamWState } {
  const step = tf.add(state.step, apply ?? 1);
  const keep = (updated: Tensor, old: Tensor): Tensor =>
    apply ? tf.where(tf.greater(apply, 0), updated, old) : updated;
  const composed = (name: string, p: Tensor, m: Tensor, v: Tensor, given: Tensor): Tensor[] => {
    const g = gradientScale ? tf.mul(given, gradientScale) : given;
    const [newM, newV] = [firstMoment(m, g, options), secondMoment(v, g, options)];
    return [keep(adamWStep(p, newM, newV, step, learningRate, name, options), p), keep(newM, m), keep(newV, v)];
  };
  const out = { params: {} as Params, m: {} as Params, v: {} as Params };
  const fuses = usesKernelsWithoutGradient();
  /** Names whose tensors take the same step: one call of the kernel for each kind. */
  const alike: Record<string, string[]> = {};
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
    if (fuses)
      (alike[`${options.learningRateScale?.(name) ?? 1} ${options.weightDecay > 0 && decays(p)}`] ??= []).push(name);
    // each tensor's own tidy: traced, and run eagerly, no more than one tensor's steps are there at once. What is fused
    // follows below, in the same places
    [out.params[name], out.m[name], out.v[name]] = fuses
      ? [p, state.m[name], state.v[name]]
      : tf.tidy(() => composed(name, p, state.m[name], state.v[name], g));
  }
  for (const names of Object.values(alike)) {
    const of = (record: Params): Tensor[] => names.map((name) => record[name]);
    const { rate, correction2, decay } = stepFactors(
      step,
      learningRate,
      options.learningRateScale?.(names[0]) ?? 1,
      decays(params[names[0]]),
      options,
    );
    const coefficients = tf.stack(
      [gradientScale ?? tf.scalar(1), rate, correction2, decay, apply ?? tf.scalar(1)].map((x) => tf.reshape(x, [])),
    );
    const { beta1, beta2, epsilon } = options;
    const updated = callKernel(
      "AdamW",
      [...of(params), ...of(state.m), ...of(state.v), ...of(gradients), coefficients],
      3 * names.length,
      { beta1, beta2, rest1: 1 - beta1, rest2: 1 - beta2, epsilon },
      { N: names.length },
    );
    names.forEach((name, i) => {
      [out.params[name], out.m[name], out.v[name]] = [
        updated[i],
        updated[names.length + i],
        updated[2 * names.length + i],
      ];
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
