import { describe, expect, it } from "vitest";
import { addInto } from "../../lib/engine/accumulate";
import { compile } from "../../lib/engine/compile";
import { tf, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";

describe("addInto", () => {
  it.each([[[5]], [[3, 4]], [[2, 3, 2]], [[1, 1]]])("adds all of a tensor of shape %j, eager and compiled", (shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const x = tf.tensor(
      Float32Array.from({ length: size }, (_, i) => i + 1),
      shape,
    );
    const before = tf.memory().numTensors;
    for (const eager of [true, false]) {
      const add = compile((total: Tensor, y: Tensor) => addInto(total, tf.mul(y, 2)), {
        name: `addInto.${eager}`,
        donate: [0],
        eager,
      });
      let total: Tensor = tf.fill(shape, 0.5);
      for (let i = 0; i < 3; i++) total = add(total, x);
      expect(total.shape).toEqual(shape);
      expect(Array.from(total.dataSync())).toEqual(Array.from({ length: size }, (_, i) => 0.5 + 6 * (i + 1)));
      total.dispose();
    }
    expect(tf.memory().numTensors).toBe(before);
    disposeTree(x);
  });
});
