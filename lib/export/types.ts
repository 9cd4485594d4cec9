/** What an export is, whatever engine it is for. */
import type { Watch } from "../experiment/stage";
import type { Experiment } from "../experiment/types";
import type { RlMethod } from "../train/methods";

/** How an export is made. */
export interface ExportOptions {
  gpus: number;
  /** Of Stage 2; default what the engine can do. */
  method?: RlMethod;
  watch?: Watch;
}

/** What a command does, and the command. */
export interface Step {
  what: string;
  command: string;
}

/** What was written, and what a person has to know. */
export interface Exported {
  title: string;
  /** Packages and versions that this form was written for. */
  needs: string;
  steps: Step[];
  /** What the engine does otherwise than this project, one sentence each. */
  differences: string[];
  /** Each file or folder, with what it is. */
  contents: [name: string, what: string][];
  counts: Record<string, number>;
}

/** Writes an export into a folder that is there and empty. */
export type Exporter = (experiment: Experiment, folder: string, options: ExportOptions) => Promise<Exported>;
