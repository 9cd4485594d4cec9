/**
 * Multinomial logistic regression with L2, the linear probe: is something linearly readable from frozen features?
 * Convex, fitted from zero by Nesterov's accelerated gradient at step 1/L, so that it is the same whatever the seed.
 */
import { compile } from "../engine/compile";
import { tf, type Tensor } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";

/** Labelled features; rows of equal length, labels in [0, classes). */
export interface Labelled {
  features: readonly Float32Array[];
  labels: readonly number[];
}

/** A fitted probe: features are shifted and scaled by the training features' mean and deviation first. */
export interface LinearProbe {
  classes: number;
  mean: Float32Array;
  scale: Float32Array;
  /** `[D + 1, classes]` row by row; the last row is the bias, which is not penalised. */
  weights: Float32Array;
  /** Largest entry of the gradient where fitting ended: 0 at the optimum. */
  gradient: number;
}

/** Mean and reciprocal deviation per dimension; a constant dimension gets scale 0. */
function standardise(rows: readonly Float32Array[]): { mean: Float32Array; scale: Float32Array } {
  const width = rows[0].length;
  const mean = new Float32Array(width);
  const scale = new Float32Array(width);
  for (let d = 0; d < width; d++) {
    let [sum, squares] = [0, 0];
    for (const row of rows) {
      sum += row[d];
      squares += row[d] * row[d];
    }
    mean[d] = sum / rows.length;
    const variance = squares / rows.length - mean[d] ** 2;
    scale[d] = variance > 1e-10 ? 1 / Math.sqrt(variance) : 0;
  }
  return { mean, scale };
}

/** Rows `[N, D + 1]`, standardised, a one at the end. */
function design(rows: readonly Float32Array[], mean: Float32Array, scale: Float32Array): Tensor {
  const width = mean.length + 1;
  const values = new Float32Array(rows.length * width);
  rows.forEach((row, n) => {
    if (row.length !== mean.length)
      throw new Error(`linear probe: row ${n} has ${row.length} features, ${mean.length} expected`);
    for (let d = 0; d < mean.length; d++) values[n * width + d] = (row[d] - mean[d]) * scale[d];
    values[n * width + width - 1] = 1;
  });
  return tf.tensor2d(values, [rows.length, width]);
}

type Iterate = { weights: Tensor; ahead: Tensor };

/** One step from `ahead`, and the gradient's largest entry there. */
const advance = compile(
  ({ weights, ahead }: Iterate, x: Tensor, y: Tensor, penalty: Tensor, step: Tensor, momentum: Tensor) => {
    const residual = tf.sub(tf.softmax(tf.matMul(x as tf.Tensor2D, ahead as tf.Tensor2D)), y);
    const gradient = tf.add(
      tf.div(tf.matMul(x as tf.Tensor2D, residual as tf.Tensor2D, true), x.shape[0]),
      tf.mul(ahead, penalty),
    );
    const next = tf.sub(ahead, tf.mul(gradient, step));
    return {
      next: { weights: next, ahead: tf.add(next, tf.mul(tf.sub(next, weights), momentum)) },
      worst: tf.max(tf.abs(gradient)),
    };
  },
  { name: "probe.fit", donate: [0] },
);

/** The largest eigenvalue of XᵀX/N, by power iteration. */
function spectralNorm(x: Tensor): number {
  return tf.tidy(() => {
    let v: Tensor = tf.ones([x.shape[1]!, 1]);
    let norm = 0;
    for (let i = 0; i < 30; i++) {
      const next = tf.div(tf.matMul(x as tf.Tensor2D, tf.matMul(x as tf.Tensor2D, v as tf.Tensor2D), true), x.shape[0]);
      norm = tf.norm(next).dataSync()[0];
      v = tf.div(next, norm);
    }
    return norm;
  });
}

/**
 * Minimises mean cross-entropy + l2/2 |W|² (bias apart). The curvature of softmax is at most 1/2, hence L = λmax/2 +
 * l2.
 * @throws Error without rows, with lists of different lengths, or a label out of range
 */
export function fitProbe({ features, labels }: Labelled, classes: number, l2: number, iterations = 300): LinearProbe {
  if (features.length === 0 || features.length !== labels.length)
    throw new Error(`linear probe: ${features.length} rows of features and ${labels.length} labels`);
  const bad = labels.find((label) => !(Number.isInteger(label) && label >= 0 && label < classes));
  if (bad !== undefined) throw new Error(`linear probe: label ${bad} is not in [0, ${classes})`);
  const { mean, scale } = standardise(features);
  const width = mean.length + 1;
  const x = design(features, mean, scale);
  const y = tf.tidy(() => tf.oneHot(tf.tensor1d([...labels], "int32"), classes).cast("float32"));
  const penalty = tf.tensor2d(
    Float32Array.from({ length: width }, (_, d) => (d < width - 1 ? l2 : 0)),
    [width, 1],
  );
  const step = tf.scalar(1 / (1.05 * spectralNorm(x) * 0.5 + l2));
  let at: Iterate = { weights: tf.zeros([width, classes]), ahead: tf.zeros([width, classes]) };
  let gradient = Infinity;
  for (let i = 0; i < iterations; i++) {
    const momentum = tf.scalar(i / (i + 3));
    const { next, worst } = advance(at, x, y, penalty, step, momentum);
    if (i === iterations - 1) [gradient] = worst.dataSync();
    disposeTree(worst, momentum);
    at = next;
  }
  const weights = Float32Array.from(at.weights.dataSync());
  disposeTree(at, x, y, penalty, step);
  return { classes, mean, scale, weights, gradient };
}

/** Scores `[N][classes]` of rows of features: log-probabilities up to a constant per row. */
export function probeScores(
  { classes, mean, scale, weights }: LinearProbe,
  features: readonly Float32Array[],
): Float32Array[] {
  if (features.length === 0) return [];
  const flat = tf.tidy(
    () =>
      tf
        .matMul(design(features, mean, scale) as tf.Tensor2D, tf.tensor2d(weights, [mean.length + 1, classes]))
        .dataSync() as Float32Array,
  );
  return features.map((_, n) => flat.slice(n * classes, (n + 1) * classes));
}

/** The best of `allowed` classes (all where not given); the first of equals. */
export function bestClass(scores: Float32Array, allowed?: readonly number[]): number {
  const from = allowed ?? Array.from(scores.keys());
  return from.reduce((best, label) => (scores[label] > scores[best] ? label : best), from[0]);
}

/**
 * The penalty that fits a held-out part of the training rows best, by accuracy; the larger of equals.
 * @param groups a group per row (a designer): each in turn is held out, so that nothing of it is in the fit
 */
export function chooseL2(
  data: Labelled,
  classes: number,
  groups: readonly string[],
  candidates: readonly number[],
  iterations = 300,
): number {
  const names = [...new Set(groups)].sort();
  if (names.length < 2)
    throw new Error(`linear probe: ${names.length} group of training rows; two or more are needed to choose a penalty`);
  const part = (keep: (group: string) => boolean): Labelled => {
    const index = groups.flatMap((group, i) => (keep(group) ? [i] : []));
    return { features: index.map((i) => data.features[i]), labels: index.map((i) => data.labels[i]) };
  };
  const correct = candidates.map((l2) =>
    names.reduce((sum, name) => {
      const held = part((group) => group === name);
      const scores = probeScores(
        fitProbe(
          part((group) => group !== name),
          classes,
          l2,
          iterations,
        ),
        held.features,
      );
      return sum + scores.filter((row, i) => bestClass(row) === held.labels[i]).length;
    }, 0),
  );
  const best = Math.max(...correct);
  return Math.max(...candidates.filter((_, i) => correct[i] === best));
}
