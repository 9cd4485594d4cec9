/** What an open experiment is. */
import type { PromptSet } from "../benchmark/prompts";
import type { Neighbours } from "../benchmark/triplets";
import type { CotRecord, Observation } from "../cot/build";
import type { Params } from "../engine/tensorflow";
import type { ModelConfig } from "../model/config";
import type { GenerationConfig } from "../model/generation-config";
import type { Workbench } from "../train/workbench";
import type { StageHome } from "./stage";

/** An open experiment; `close` frees every tensor. */
export interface Experiment extends StageHome {
  /** Name of the method in prediction rows, where it is not the method's own. */
  label?: string;
  prompts: PromptSet;
  config: ModelConfig;
  generationConfig: GenerationConfig;
  /** Compiled functions that all stages share; its images are the benchmark's squares, or none (`stageBench`). */
  bench: Workbench;
  /** Who is nearest to whom, measured on first use. */
  neighbours(): Promise<Neighbours>;
  /** The base model's parameters, loaded on first use. They stay the experiment's. */
  readonly base: Params;
  /** The same, given away: the caller disposes or trains them, and the experiment holds no second copy. */
  takeBase(): Params;
  /** Where messages for people go: memory plans, rows that were left out. */
  say(message: string): void;
  close(): void;
}

/** What the stage of chain-of-thought data leaves. */
export interface CotResult {
  records: CotRecord[];
  /** Rationales that were looked at; of a records file its records. */
  attempts: number;
  /** Why others were not kept, with how many. */
  rejections: Record<string, number>;
  /** What the teacher saw in each image; empty where records were read from a file. */
  observations: Observation[];
  /** Files of the records' images by the names they give them, where these are no images of the benchmark. */
  files: ReadonlyMap<string, string>;
  card: Record<string, unknown>;
}
