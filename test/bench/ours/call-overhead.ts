/**
 * What one call of a compiled function costs: 1 is added to 16 numbers, 2,000 times in a row, each call on the last
 * one's result.
 */
import { compile } from "../../../lib/engine/compile";
import { tf, type Tensor } from "../../../lib/engine/tensorflow";
import type { BenchCase } from "../types";
import { numbers } from "../variant";

export function setUp(variant: string): Promise<BenchCase> {
  const { calls } = numbers(variant, { calls: 2000 });
  const increment = compile((x: Tensor) => tf.add(x, 1), { name: "bench.increment" });
  return Promise.resolve({
    run: () => {
      let x: Tensor = tf.zeros([16]);
      for (let i = 0; i < calls; i++) {
        const next = increment(x);
        x.dispose();
        x = next;
      }
      const [value] = x.dataSync();
      x.dispose();
      return value;
    },
    work: { calls },
  });
}
