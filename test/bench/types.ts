/** What a case of the benchmark is, and what is kept of it. */

/** One side of a case, set up. */
export interface BenchCase {
  /** Does the work once; returns a checksum. */
  run(): number | Promise<number>;
  /** What one run does: rows, tokens, parameters. */
  work: Record<string, number>;
  dispose?(): void;
}

/** What a file of `ours/` exports (and one of `peers/` that runs on Node). */
export interface BenchModule {
  setUp(variant: string): Promise<BenchCase>;
  versions?: Record<string, string>;
}

/** Which side to start: a file and its variant. Sides are compared within a group (`f32` with `f32`). */
export interface Side {
  case: string;
  variant: string;
  group?: string;
}

/** A library that does the same work. */
export interface Peer extends Side {
  /** As tables and figures call it. */
  peer_name: string;
  kind: "python" | "node";
}

/** A line of the benchmark. */
export interface CaseSpec {
  name: string;
  /** One sentence: what is timed against what. */
  description: string;
  /** Ours; of several in a group the fastest takes part. */
  ours: Side | readonly Side[];
  /** The row's peer is the one that works and against which the ratio is least. */
  peers: readonly Peer[];
  unit: "s" | "ms" | "µs";
  /** The entry of `work` that the time is divided by; the whole run where there is none. */
  per?: string;
  /** How much faster than the peer this is to be (`peer / ours`); null where the ratio is only reported. */
  must: number | null;
  aim: number | null;
  rounds: number;
  /** Largest difference of the two sides' checksums, per group where they differ; unchecked where there is none. */
  tolerance?: number | Record<string, number>;
  /** Makes what both sides read, before either starts. */
  prepare?: () => Promise<unknown>;
}

/** Both sides' numbers. */
export interface Both<T> {
  ours: T;
  peer: T;
}

/** One pair of processes, measured in turns; times in the case's unit. */
export interface Measurement extends Both<number> {
  group: string;
  ours_variant: string;
  peer_name: string;
  /** peer / ours: above 1, this project is faster. */
  ratio: number;
  rounds: number;
  /** Fastest and slowest round. */
  spread: Both<[number, number]>;
  /** Seconds of set-up with its first run: data, tracing, compiling. Imports are not in it. */
  compile: Both<number>;
  work: Both<Record<string, number>>;
  versions: Both<Record<string, string>>;
  /** Largest difference of the checksums of all runs; null where it is not checked. */
  difference: number | null;
}

/** What could not be measured, and why. */
export interface Failure {
  group: string;
  peer_name: string;
  error: string;
}

export type InstructionSet = "amx" | "avx512" | "avx2" | "generic";

export interface Machine {
  processor: string;
  /** The best that it has, as the kernels name it. */
  instructions: InstructionSet;
  cores: number;
  memory_gb: number;
  /** Threads of each side. */
  threads: number;
  /** Processors that were busy before the first run. */
  busy_before: number;
}

/** A row of `results.json`. */
export interface ResultRow extends Measurement {
  name: string;
  /** Such as `ms per steps`. */
  unit: string;
  must: number | null;
  aim: number | null;
  machine: Machine;
  tolerance: CaseSpec["tolerance"] | null;
  /** SHA-256 over the code that is measured and that measures. */
  inputs: string;
  /** Every pair that was measured, the row's own among them, and what failed. */
  detail: (Measurement | Failure)[];
}
