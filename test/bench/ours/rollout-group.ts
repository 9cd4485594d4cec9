/**
 * 16 prompts with an image each, 10 samples of 60 tokens each (`g=N` for another number), from the committed base.
 *
 * Equal and not equal as in `rollout`. Each prompt is read once here and its cache shared by its group; the peer's
 * `generate` repeats the prompt's cache (or the prompt), which is what its library offers.
 */
import type { BenchCase } from "../types";
import { words } from "../variant";
import { rolloutCase } from "./vlm";

export function setUp(variant: string): Promise<BenchCase> {
  const { g = 10, bf16, xla } = words(variant);
  return rolloutCase(16, Number(g), { bf16: bf16 === true, xla: xla === true });
}
