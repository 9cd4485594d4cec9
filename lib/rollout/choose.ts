/**
 * Choosing the next token inside the compiled decoding step, so that token ids and log-probs come to the host and not
 * rows over the vocabulary. What is chosen is what `sample.ts` chooses for the same numbers, up to rounding. A row that
 * the graph can't decide (a draw that is rejected, or NaN) is marked, and the host decides that row alone.
 */
import { callKernel, usesKernelsWithoutGradient } from "../engine/kernels";
import { tf, type Tensor } from "../engine/tensorflow";

/**
 * What a choice depends on besides the model's output; V is the vocabulary. Tensors so that other values need no other
 * trace.
 */
export interface ChoiceInputs {
  /** `[rows]`: one number in [0, 1) for each row; not looked at when greedy. */
  uniform: Tensor;
  /** `[V]`: 1 for tokens that are never chosen, 0 for the others. */
  banned: Tensor;
  greedy: boolean;
  /** Scalar nucleus mass; null for 1. */
  topP: Tensor | null;
  /** What `chooseFromLogits` reads beside; null where `chooseFromProbabilities` chooses. */
  logits: LogitsInputs | null;
}

/** How logits become a distribution, and which log-probs are returned. */
export interface LogitsInputs {
  /** Scalar; divides the logits of the draw. */
  temperature: Tensor;
  /** Scalar; divides the logits of the log-prob. */
  logProbTemperature: Tensor;
  /** Only the k most probable tokens; 0 for all. Of several that equal the k-th, those with the lowest ids stay. */
  topK: number;
  /** Scalar penalty on seen tokens and `[rows,V]`, 1 where a token was seen; null for no penalty. */
  repetition: { penalty: Tensor; seen: Tensor } | null;
}

/** Halvings of the range of scores in which the nucleus ends: about the resolution of a float32. */
const HALVINGS = 24;

/**
 * Width of the blocks in which an inverse CDF is looked up: a divisor of the vocabulary where there is one of a handy
 * size.
 */
function blockWidth(vocabulary: number): number {
  for (const width of [128, 64, 32, 48, 96, 100, 50, 40, 25]) if (vocabulary % width === 0) return width;
  return 64;
}

/** `x[row, index[row]]`. @param x `[rows,V]` @param index int32 `[rows]` */
function at(x: Tensor, index: Tensor): Tensor {
  const [rows, size] = x.shape;
  return tf.gather(tf.reshape(x, [-1]), tf.add(tf.range(0, rows * size, size, "int32"), index) as tf.Tensor1D);
}

/**
 * How many leading values of each row's running sum are at most `target` `[rows,1]`: int32 `[rows]`, at most the last
 * place.
 */
function place(sums: Tensor, target: Tensor): Tensor {
  const count = tf.sum(tf.cast(tf.lessEqual(sums, target), "float32"), 1);
  return tf.cast(tf.minimum(count, sums.shape[1]! - 1), "int32");
}

/**
 * Inverse CDF in the order of token ids: the first token whose running sum of weights exceeds `target`. Sums of blocks
 * first, then within one block, which reads the row once and keeps rounding small.
 * @param weights `[rows,V]`, not negative @param target `[rows,1]`
 */
function inverseCdf(weights: Tensor, target: Tensor): Tensor {
  const [rows, vocabulary] = weights.shape;
  const width = blockWidth(vocabulary);
  const count = Math.ceil(vocabulary / width);
  const padded =
    count * width === vocabulary
      ? weights
      : tf.pad(weights, [
          [0, 0],
          [0, count * width - vocabulary],
        ]);
  const blocks = tf.reshape(padded, [rows, count, width]);
  const masses = tf.sum(blocks, 2);
  const sums = tf.cumsum(masses, 1);
  const block = place(sums, target);
  const before = tf.sub(at(sums, block), at(masses, block));
  const own = tf.gather(
    tf.reshape(blocks, [rows * count, width]),
    tf.add(tf.range(0, rows * count, count, "int32"), block) as tf.Tensor1D,
  );
  const inside = place(tf.cumsum(own, 1), tf.sub(target, tf.reshape(before, [rows, 1])));
  return tf.minimum(tf.add(tf.mul(block, tf.scalar(width, "int32")), inside), tf.scalar(vocabulary - 1, "int32"));
}

/** `[3,rows]`: token id (exact in float32), its log-prob, and 1 where the row is decided. */
const choice = (token: Tensor, logProb: Tensor, decided: Tensor): Tensor =>
  tf.stack([tf.cast(token, "float32"), logProb, tf.cast(decided, "float32")]);

/**
 * `sampleToken` with one attempt. A row is not decided where the draw falls on a banned token or outside the nucleus:
 * one in a hundred at `topP` 0.99. Renormalising instead would need the nucleus' edge, and that many passes over the
 * vocabulary.
 * @param probabilities `[rows,V]`, the tempered full softmax
 */
function chooseFromProbabilities(probabilities: Tensor, { uniform, banned, greedy, topP }: ChoiceInputs): Tensor {
  const token = greedy
    ? tf.argMax(tf.sub(probabilities, tf.mul(banned, 2)), 1)
    : inverseCdf(probabilities, tf.reshape(uniform, [-1, 1]));
  const p = at(probabilities, token);
  const allowed = tf.equal(tf.gather(banned, token as tf.Tensor1D), 0);
  const logProb = tf.log(tf.maximum(p, 1e-38));
  if (greedy) return choice(token, logProb, tf.logicalAnd(allowed, tf.greaterEqual(p, 0)));
  const possible = tf.logicalAnd(allowed, tf.greater(p, 0));
  if (!topP) return choice(token, logProb, possible);
  const above = tf.sum(tf.where(tf.greater(probabilities, tf.reshape(p, [-1, 1])), probabilities, tf.scalar(0)), 1);
  return choice(token, logProb, tf.logicalAnd(possible, tf.less(above, topP)));
}

/** Weights of the nucleus, 0 outside. @param z `[rows,V]`: scores over temperature, 0 for the best of a row */
function nucleus(z: Tensor, topP: Tensor): Tensor {
  const weights = tf.exp(z);
  const wanted = tf.mul(tf.sum(weights, 1, true), topP);
  const masked = (edge: Tensor): Tensor => tf.where(tf.greater(z, edge), weights, tf.scalar(0));
  // scores below the low edge hold less than 1 - topP together; none is above the high one
  let low = tf.add(tf.zerosLike(wanted), tf.log(tf.maximum(tf.div(tf.sub(1, topP), z.shape[1]!), 1e-30)));
  let high = tf.zerosLike(wanted);
  for (let i = 0; i < HALVINGS; i++) {
    const middle = tf.mul(tf.add(low, high), 0.5);
    const enough = tf.greaterEqual(tf.sum(masked(middle), 1, true), wanted);
    low = tf.where(enough, middle, low);
    high = tf.where(enough, high, middle);
  }
  return masked(low);
}

/** Draws among the k best: sorted once, and put in the order of token ids for the inverse CDF. */
function drawTopK(z: Tensor, k: number, topP: Tensor | null, uniform: Tensor): { token: Tensor; weight: Tensor } {
  const rows = z.shape[0];
  const { values, indices } = tf.topk(z, k);
  const weights = tf.exp(values);
  const before = tf.cumsum(weights, 1, true);
  const kept = topP
    ? tf.where(tf.less(before, tf.mul(tf.sum(weights, 1, true), topP)), weights, tf.scalar(0))
    : weights;
  const order = tf.topk(tf.neg(tf.cast(indices, "float32")), k).indices;
  const flat = tf.reshape(tf.add(order, tf.reshape(tf.range(0, rows * k, k, "int32"), [rows, 1])), [-1]) as tf.Tensor1D;
  const byId = (x: Tensor): Tensor => tf.reshape(tf.gather(tf.reshape(x, [-1]), flat), [rows, k]);
  const ordered = byId(kept);
  const sums = tf.cumsum(ordered, 1);
  const chosen = place(sums, tf.mul(tf.reshape(uniform, [-1, 1]), tf.slice(sums, [0, k - 1], [rows, 1])));
  return { token: at(byId(indices), chosen), weight: at(ordered, chosen) };
}

/** `sampleFromLogits` and `logProbOf`. @param logits `[rows,V]` as the model gave them */
function chooseFromLogits(
  logits: Tensor,
  { uniform, banned, greedy, topP }: ChoiceInputs,
  { temperature, logProbTemperature, topK, repetition }: LogitsInputs,
): Tensor {
  const changed = repetition
    ? tf.where(
        tf.greater(repetition.seen, 0),
        tf.where(tf.less(logits, 0), tf.mul(logits, repetition.penalty), tf.div(logits, repetition.penalty)),
        logits,
      )
    : logits;
  const scores = tf.where(tf.greater(banned, 0), tf.scalar(-Infinity), changed);
  const best = tf.max(scores, 1, true);
  const draw = (): { token: Tensor; weight: Tensor } => {
    if (greedy) return { token: tf.argMax(scores, 1), weight: tf.onesLike(uniform) };
    const z = tf.div(tf.sub(scores, best), temperature);
    if (topK > 0 && topK < logits.shape[1]!) return drawTopK(z, topK, topP, uniform);
    const weights = topP ? nucleus(z, topP) : tf.exp(z);
    const token = inverseCdf(weights, tf.mul(tf.reshape(uniform, [-1, 1]), tf.sum(weights, 1, true)));
    return { token, weight: at(weights, token) };
  };
  const { token, weight } = draw();
  const tempered = tf.div(logits, logProbTemperature);
  const logProb = tf.sub(at(tempered, token), tf.logSumExp(tempered, 1));
  const sound = tf.logicalAnd(tf.isFinite(logProb), tf.isFinite(tf.reshape(best, [-1])));
  return choice(token, logProb, tf.logicalAnd(sound, tf.greater(weight, 0)));
}

/** `softmax(logits / temperature)`. @param logits `[lines,V]` @param temperature scalar */
export function temperedSoftmax(logits: Tensor, temperature: Tensor): Tensor {
  return usesKernelsWithoutGradient()
    ? callKernel("Softmax", [logits, temperature], 1)[0]
    : tf.softmax(tf.div(logits, temperature));
}

/**
 * `perLine` tokens a line, one for each row, from probabilities (`logits: null`) or from logits.
 * @param scores `[lines,V]`
 * @returns `[3,rows]`: token ids, log-probs, and 1 where the graph has decided; elsewhere the host has to choose with
 * the same number
 */
export function choose(scores: Tensor, inputs: ChoiceInputs, perLine = 1): Tensor {
  const { uniform, banned, greedy, topP, logits } = inputs;
  if (usesKernelsWithoutGradient() && !logits && !greedy)
    return callKernel("Choose", [scores, uniform, banned, topP ?? tf.scalar(1)], 1)[0];
  return tf.tidy(() => {
    const rows =
      perLine === 1 ? scores : tf.reshape(tf.tile(tf.expandDims(scores, 1), [1, perLine, 1]), [-1, scores.shape[1]!]);
    return logits ? chooseFromLogits(rows, inputs, logits) : chooseFromProbabilities(rows, inputs);
  });
}
