/**
 * 64 prompts with an image each, one sample of 60 tokens each, from the committed base (3 M parameters).
 *
 * Equal on both sides: weights, prompts, images, vision tower and prefill within the time, temperature 1, top-p 0.99,
 * the same tokens banned, no end token. Not equal: this side also returns the log-probs of the tokens and cuts its
 * patches from pixels within the time; the peer gets `pixel_values` ready made. Prompts are padded on the right here,
 * on the left there.
 */
import type { BenchCase } from "../types";
import { words } from "../variant";
import { rolloutCase } from "./vlm";

export function setUp(variant: string): Promise<BenchCase> {
  const { bf16, xla } = words(variant);
  return rolloutCase(64, 1, { bf16: bf16 === true, xla: xla === true });
}
