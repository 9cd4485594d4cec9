/** What the teacher of Stage 1 holds in memory while it answers. */
import type { ModelConfig } from "../model/config";
import { cacheFloats, generationPhase, parameterCounts } from "../model/memory-plan";
import type { EngineName } from "./speeds";
import type { Workload } from "./stages";

export const TEACHER_PHASE = "teacher";

/**
 * Weights in bfloat16. Here an image's answers of one kind are decoded together: descriptions of the length that is
 * planned, or rationales as long as they may be. Another engine holds `rows` answers in bfloat16, on average half
 * written.
 */
export function teacherPhase(
  config: ModelConfig,
  w: Workload,
  { engine, rows, maxTokens }: { engine: EngineName; rows: number; maxTokens: number },
): { name: string; bytes: number } {
  const counts = { ...parameterCounts(config, null, false), weightBytes: 2 as const };
  const promptTokens = w.imageTokens + w.textTokens;
  if (engine === "elsewhere") {
    const cache = 2 * rows * cacheFloats(config, promptTokens + w.responseTokens / 2);
    return { name: TEACHER_PHASE, bytes: counts.weightBytes * counts.model + cache };
  }
  const imagePatches = w.imageTokens * config.vision.spatialMergeSize ** 2;
  const answers = (together: number, responseTokens: number) =>
    generationPhase(
      TEACHER_PHASE,
      config,
      counts,
      { rows: together, promptTokens, responseTokens, images: 1, imagePatches },
      together,
    );
  const [described, reasoned] = [answers(w.descriptions, w.descriptionTokens), answers(w.rationales, maxTokens)];
  return described.bytes > reasoned.bytes ? described : reasoned;
}
