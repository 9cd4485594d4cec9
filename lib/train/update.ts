/**
 * One optimizer update: forward, loss, backward, clipping and AdamW. A mini-batch that comes in one part is one
 * compiled call; in several (gradient accumulation) their gradients are summed first, in place, which changes memory
 * and nothing else. Where the trained parameters are large, the optimizer goes through them a group at a time, first
 * and second moments and parameters one after the other, and gives up old values at once.
 */
import { addInto } from "../engine/accumulate";
import { compile, type CompileOptions } from "../engine/compile";
import { valueAndGradients } from "../engine/gradients";
import {
  adamWStep,
  adamWUpdate,
  clipFactor,
  firstMoment,
  globalNorm,
  secondMoment,
  type AdamWOptions,
  type AdamWState,
} from "../engine/optimizer";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree, mapParams } from "../engine/tree";
import { UPDATE_GROUP } from "../model/memory-plan";

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
  /** Scalars that are no such means: metrics whose parts add up to the mini-batch's. */
  sums?: Params;
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
  /** Bytes of parameters that are updated in one call; default 32 MiB. Where all fit, forward to update is one call. */
  groupBytes?: number;
}

/** Names in groups of at most `bytes` of float32, a larger tensor on its own. */
function groupsOf(params: Params, names: readonly string[], bytes: number): string[][] {
  const groups: string[][] = [];
  let filled = Infinity;
  for (const name of names) {
    const size = 4 * params[name].size;
    if (filled + size > bytes) {
      groups.push([]);
      filled = 0;
    }
    groups[groups.length - 1].push(name);
    filled += size;
  }
  return groups;
}

/** New parameters, optimizer state, and metrics (scalars, `loss`, `gradNorm` and `skipped` among them). */
export interface Updated {
  params: Params;
  state: AdamWState;
  metrics: Params;
}

/**
 * @param batches the mini-batch's parts that are not empty, at least one, of equal shapes where they shall share a
 * trace
 * @param tokens scored tokens of all parts
 * @param learningRate scalar
 */
export type Update<B> = (
  params: Params,
  state: AdamWState,
  batches: readonly B[],
  tokens: number,
  learningRate: Tensor,
) => Updated;

/**
 * An update uses up the parameters and the state it is given (they are disposed); its other arguments stay the
 * caller's.
 */
export function createUpdate<B>({
  name,
  loss,
  trainable,
  optimizer,
  maxGradNorm,
  skipNotFinite,
  parts,
  compile: how,
  groupBytes = UPDATE_GROUP,
}: UpdateOptions<B>): Update<B> {
  const differentiate = (params: Params, batch: B, whole: Whole): { gradients: Params; metrics: Params } => {
    const out = valueAndGradients(params, trainable(params), (p) => {
      const part = loss(p, batch, whole);
      const share = tf.div(part.tokens, tf.maximum(whole.tokens, 1));
      const means = mapParams(part.metrics, (metric) => tf.mul(metric, share));
      return { loss: part.loss, metrics: { ...means, ...part.sums } };
    });
    return { gradients: out.gradients, metrics: { ...out.metrics, loss: out.loss } };
  };
  const apply = (params: Params, state: AdamWState, gradients: Params, learningRate: Tensor): Updated => {
    const norm = globalNorm(gradients);
    const gradientScale = clipFactor(norm, maxGradNorm);
    if (!skipNotFinite)
      return {
        ...adamWUpdate(params, gradients, state, learningRate, optimizer, { gradientScale }),
        metrics: { gradNorm: norm },
      };
    const finite = tf.cast(tf.isFinite(norm), "float32");
    return {
      ...adamWUpdate(params, gradients, state, learningRate, optimizer, { gradientScale, apply: finite }),
      metrics: { gradNorm: norm, skipped: tf.sub(1, finite) },
    };
  };
  const whole = compile(
    (params: Params, state: AdamWState, batch: B, tokens: Tensor, learningRate: Tensor): Updated => {
      const { gradients, metrics } = differentiate(params, batch, { tokens, parts });
      const updated = apply(params, state, gradients, learningRate);
      return { ...updated, metrics: { ...metrics, ...updated.metrics } };
    },
    { ...how, name, donate: [0, 1] },
  );
  const zeros = (params: Params): Params =>
    Object.fromEntries(trainable(params).map((key) => [key, tf.fill(params[key].shape, 0)]));
  const part = compile(differentiate, { ...how, name: `${name}.gradients` });
  /**
   * `part` with its gradients added to `sums`, each as soon as it is there; uses `sums` up. XLA has no sum in place.
   */
  const add = how.xla ? (a: Tensor, b: Tensor): Tensor => tf.add(a, b) : addInto;
  const accumulate = compile(
    (params: Params, batch: B, of: Whole, sums: Params) => {
      const { gradients, metrics } = differentiate(params, batch, of);
      return { gradients: mapParams(gradients, (g, key) => add(sums[key], g)), metrics };
    },
    { ...how, name: `${name}.gradients`, donate: [3] },
  );
  const sumMetrics = compile((a: Params, b: Params) => mapParams(a, (x, key) => tf.add(x, b[key])), {
    eager: how.eager,
    name: `${name}.sum`,
    donate: [0, 1],
  });
  const finish = compile(apply, { eager: how.eager, name: `${name}.apply`, donate: [0, 1, 2] });

  /** Global norm before clipping, the factor that clips, and whether all is finite. */
  const survey = compile(
    (gradients: Params) => {
      const norm = globalNorm(gradients);
      return { norm, scale: clipFactor(norm, maxGradNorm), finite: tf.cast(tf.isFinite(norm), "float32") };
    },
    { eager: how.eager, name: `${name}.norm` },
  );
  // Tensors by position, so that layers of equal shapes share a trace. Moments and parameters are made one after the
  // other, each giving its old values up: at once there are two blocks of a group's size beside what is held, not three
  // results and their parts.
  const kept = (updated: Tensor, old: Tensor, finite: Tensor): Tensor =>
    skipNotFinite ? tf.where(tf.greater(finite, 0), updated, old) : updated;
  const moment =
    (next: typeof firstMoment) =>
    (old: Tensor[], gradients: Tensor[], scale: Tensor, finite: Tensor): Tensor[] =>
      old.map((x, i) => tf.tidy(() => kept(next(x, tf.mul(gradients[i], scale), optimizer), x, finite)));
  const firstMoments = compile(moment(firstMoment), { eager: how.eager, name: `${name}.m`, donate: [0] });
  const secondMoments = compile(moment(secondMoment), { eager: how.eager, name: `${name}.v`, donate: [0, 1] });
  /** @param scales each tensor's factor on the learning rate @param step this step's number */
  const stepped = compile(
    (
      tensors: Tensor[],
      m: Tensor[],
      v: Tensor[],
      scales: number[],
      step: Tensor,
      finite: Tensor,
      learningRate: Tensor,
    ): Tensor[] =>
      tensors.map((p, i) =>
        tf.tidy(() =>
          kept(
            adamWStep(p, m[i], v[i], step, learningRate, String(i), {
              ...optimizer,
              learningRateScale: () => scales[i],
            }),
            p,
            finite,
          ),
        ),
      ),
    { eager: how.eager, name: `${name}.step`, donate: [0] },
  );
  /** `apply`, a group after the other; uses `gradients` up. */
  const applyInGroups = (
    params: Params,
    state: AdamWState,
    gradients: Params,
    learningRate: Tensor,
    groups: readonly string[][],
  ): Updated => {
    const { norm, scale, finite } = survey(gradients);
    const step = tf.tidy(() => tf.add(state.step, skipNotFinite ? finite : 1));
    const next: Updated = {
      params: { ...params },
      state: { step, m: { ...state.m }, v: { ...state.v } },
      metrics: { gradNorm: norm },
    };
    for (const names of groups) {
      const of = (record: Params): Tensor[] => names.map((key) => record[key]);
      const scales = names.map((key) => optimizer.learningRateScale?.(key) ?? 1);
      const m = firstMoments(of(state.m), of(gradients), scale, finite);
      const v = secondMoments(of(state.v), of(gradients), scale, finite);
      const p = stepped(of(params), m, v, scales, step, finite, learningRate);
      names.forEach((key, i) => {
        next.params[key] = p[i];
        next.state.m[key] = m[i];
        next.state.v[key] = v[i];
      });
    }
    if (skipNotFinite) next.metrics.skipped = tf.tidy(() => tf.sub(1, finite));
    disposeTree(state.step, scale, finite);
    return next;
  };

  return (params, state, batches, tokenCount, learningRate) => {
    const tokens = tf.scalar(tokenCount);
    const [first, ...others] = batches;
    const groups = groupsOf(params, trainable(params), groupBytes);
    const grouped = groups.length > 1;
    try {
      if (others.length === 0 && !grouped) return whole(params, state, first, tokens, learningRate);
      const of = { tokens, parts };
      let total = others.length === 0 ? part(params, first, of) : accumulate(params, first, of, zeros(params));
      for (const batch of others) {
        const next = accumulate(params, batch, of, total.gradients);
        total = { gradients: next.gradients, metrics: sumMetrics(total.metrics, next.metrics) };
      }
      const updated = grouped
        ? applyInGroups(params, state, total.gradients, learningRate, groups)
        : finish(params, state, total.gradients, learningRate);
      return { ...updated, metrics: { ...total.metrics, ...updated.metrics } };
    } finally {
      tokens.dispose();
    }
  };
}
