/**
 * The noise of a noisy second view (NoisyRollout, arXiv 2504.13055): that of a diffusion model's forward process, at a
 * step that falls while the training goes on. Schedule, formula and defaults are those of its release.
 */
import type { RlSettings } from "./settings";

/** Steps of the forward process; `rl.gaussianNoiseStep` is one of them, from 0. */
export const DIFFUSION_STEPS = 1000;

/** Smallest and largest variance that a step of it adds, and the reach of the sigmoid between them. */
const [LEAST, MOST, REACH] = [1e-5, 0.5e-2, 6];

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** What a noisy pixel in [0, 1] is made of: `signal * pixel + noise * normal`, clipped to [0, 1]. */
export interface NoiseScales {
  signal: number;
  /** Standard deviation of the noise. */
  noise: number;
}

/** The scales after so many steps of the forward process. @throws Error on a step that it does not have */
export function noiseScales(noiseStep: number): NoiseScales {
  if (!Number.isInteger(noiseStep) || noiseStep < 0 || noiseStep >= DIFFUSION_STEPS)
    throw new Error(`noise: step ${noiseStep} of the forward process; its steps are 0 to ${DIFFUSION_STEPS - 1}`);
  let kept = 1;
  for (let i = 0; i <= noiseStep; i++) {
    const x = -REACH + (2 * REACH * i) / (DIFFUSION_STEPS - 1);
    kept *= 1 - (LEAST + (MOST - LEAST) * sigmoid(x));
  }
  return { signal: Math.sqrt(kept), noise: Math.sqrt(1 - kept) };
}

/**
 * The step of the forward process whose noise a step of the training has.
 * @param step of the training, from 1 to `settings.steps`
 */
export function noiseStepAt(
  settings: Pick<
    RlSettings,
    "steps" | "gaussianNoiseStep" | "noiseDecayMode" | "noiseDecayCoef" | "noiseDecayMidpoint"
  >,
  step: number,
): number {
  const { steps, gaussianNoiseStep, noiseDecayMode, noiseDecayCoef, noiseDecayMidpoint } = settings;
  const done = step / steps;
  const left = {
    none: 1,
    linear: 1 - done,
    sigmoid: 1 - sigmoid(noiseDecayCoef * (done - noiseDecayMidpoint)),
  }[noiseDecayMode];
  return Math.max(0, Math.trunc(gaussianNoiseStep * left));
}
