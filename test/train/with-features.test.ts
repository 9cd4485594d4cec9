import { expect, it } from "vitest";
import { tf } from "../../lib/engine/tensorflow";
import { withFeatures } from "../../lib/train/with-features";

const bench = { features: () => tf.ones([2, 3]) };

it("gives what is made of the features, and keeps no tensor", () => {
  const before = tf.memory().numTensors;
  expect(withFeatures(bench, {}, ["a"], (features) => features.shape)).toEqual([2, 3]);
  expect(tf.memory().numTensors).toBe(before);
});

it("keeps no tensor where the use throws", () => {
  const before = tf.memory().numTensors;
  const fails = () =>
    withFeatures(bench, {}, ["a"], () => {
      throw new Error("no more memory");
    });
  expect(fails).toThrow("no more memory");
  expect(tf.memory().numTensors).toBe(before);
});
