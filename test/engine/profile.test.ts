import { expect, it } from "vitest";
import { compile } from "../../lib/engine/compile";
import { profile } from "../../lib/engine/profile";
import { tf } from "../../lib/engine/tensorflow";

it("tells calls, traces and host apart, and counts only what ran inside", async () => {
  const square = compile((x: tf.Tensor) => tf.square(x), { name: "profiled.square" });
  const x = tf.ones([4]);
  square(x).dispose(); // traced before
  const measured = await profile(async () => {
    for (let i = 0; i < 3; i++) square(x).dispose();
    const y = tf.ones([5]);
    square(y).dispose();
    y.dispose();
    await new Promise((resolve) => setTimeout(resolve, 30));
    return 7;
  });
  expect(measured.result).toBe(7);
  expect(measured.functions).toHaveLength(1);
  const [f] = measured.functions;
  expect(f).toMatchObject({ name: "profiled.square", calls: 3, traces: 1 });
  expect(f.seconds).toBeGreaterThan(0);
  expect(measured.hostSeconds).toBeGreaterThan(0.025);
  expect(measured.kernelSeconds + measured.traceSeconds + measured.hostSeconds).toBeCloseTo(measured.seconds, 9);
  expect(measured.peakMemoryBytes).toBeGreaterThan(20e6);
  x.dispose();
});
