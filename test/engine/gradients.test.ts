import { expect, it } from "vitest";
import { valueAndGradients } from "../../lib/engine/gradients";
import { tf } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";

it("valueAndGradients differentiates the trainable names only and hands out metrics", () => {
  const params = { a: tf.tensor1d([1, 2]), b: tf.tensor1d([3, -1]) };
  const before = tf.memory().numTensors;
  const { loss, metrics, gradients } = valueAndGradients(params, ["a"], (p) => {
    const product = tf.mul(tf.square(p.a), p.b);
    return { loss: tf.sum(product), metrics: { product, largest: tf.max(product) } };
  });
  expect(loss.dataSync()[0]).toBe(3 - 4);
  expect(Object.keys(gradients)).toEqual(["a"]);
  expect(Array.from(gradients.a.dataSync())).toEqual([6, -4]); // 2ab
  expect(Array.from(metrics.product.dataSync())).toEqual([3, -4]);
  expect(metrics.largest.dataSync()[0]).toBe(3);
  disposeTree(metrics, gradients, loss);
  expect(tf.memory().numTensors).toBe(before);
  disposeTree(params);
});
