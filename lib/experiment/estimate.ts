/** How long a run would take without the native engine: a measured speed and a count of its arithmetic. */
import { performance } from "node:perf_hooks";
import type { Settings } from "./settings";
import { tf } from "../engine/tensorflow";

/** Measured GFLOP/s of one float32 matrix product, `size` x `size`, the best of three. */
export function measureGflops(size: number): number {
  const a = tf.ones([size, size]);
  let best = 0;
  for (let i = 0; i < 3; i++) {
    const start = performance.now();
    const product = tf.matMul(a as tf.Tensor2D, a as tf.Tensor2D);
    product.dataSync();
    best = Math.max(best, (2 * size ** 3) / ((performance.now() - start) * 1e6));
    product.dispose();
  }
  a.dispose();
  return best;
}

/** Parameters of the shipped base, and tokens of a padded row: enough for an estimate. */
const PARAMETERS = 3.1e6;
const ROW_TOKENS = 128;

/** Floating point operations of the RL runs of a default run: 2 per parameter and token forward, 6 with backward. */
export function estimateFlops({ rl }: Pick<Settings, "rl">): number {
  const rows = rl.steps * rl.groupsPerStep * rl.numGenerations;
  const sampled = 2 * rows * 2 * ROW_TOKENS * PARAMETERS; // about half of the sampled groups survive
  const updates = rows * 6 * ROW_TOKENS * PARAMETERS;
  return 4 * (sampled + 1.5 * updates); // four methods, half of them with the negative image as well
}

/** What a run without the native engine is told: why, how long it would take, what to do. */
export function withoutNativeEngine(settings: Settings, reason: string): string {
  const gflops = measureGflops(192);
  const hours = estimateFlops(settings) / (gflops * 1e9) / 3600;
  return `scale ${settings.scale} needs the native engine, which is not loaded (${reason}). On the ${tf.getBackend()} backend, at ${gflops.toPrecision(2)} GFLOP/s here, its reinforcement learning alone would take about ${hours.toFixed(0)} hours. Run \`npm run -s fine-r1 -- doctor\`, or use FINE_R1_SCALE=smoke.`;
}
