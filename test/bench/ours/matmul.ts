/**
 * Twenty products of two 1024 x 1024 matrices, one after another. Equal on both sides: the numbers, the sums of
 * squares.
 */
import { compile } from "../../../lib/engine/compile";
import { tf } from "../../../lib/engine/tensorflow";
import type { BenchCase } from "../types";
import { numbers } from "../variant";
import { pseudoRandom } from "./tiny-gpt-data";

export function setUp(variant: string): Promise<BenchCase> {
  const { n, products } = numbers(variant, { n: 1024, products: 20 }, ["f32"]);
  const [a, b] = [1, 2].map((stream) =>
    tf.tensor2d(
      Float32Array.from({ length: n * n }, (_, i) => pseudoRandom(stream, i) - 0.5),
      [n, n],
    ),
  );
  const product = compile((x: tf.Tensor2D, y: tf.Tensor2D) => tf.matMul(x, y), { name: "bench.matmul" });
  return Promise.resolve({
    run: () => {
      let c = product(a, b);
      for (let i = 1; i < products; i++) {
        c.dispose();
        c = product(a, b);
      }
      return tf.tidy(() => {
        const value = tf.norm(c).dataSync()[0];
        c.dispose();
        return value;
      });
    },
    work: { products, flops: products * 2 * n ** 3 },
    dispose: () => [a, b].forEach((tensor) => tensor.dispose()),
  });
}
