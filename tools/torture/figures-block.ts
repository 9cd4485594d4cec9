/** The figures of docs/reliability.md, from docs/reliability.json: what the long tests found when each ran last. */
import { toMarkdown, type TableRow } from "../../lib/report/tables";

/** How runs that were killed ended, of `kill` and `writes`. */
interface Killed {
  kills: number;
  different: readonly unknown[];
  left_over: readonly unknown[];
}

/** What is counted after each step, or its slopes. */
type Counts = Readonly<Record<"tensors" | "residentBytes" | "openFiles" | "traces", number>>;

interface Soaked {
  counts: number;
  slopes: Counts;
}

interface Fuzzed {
  seed: number;
  inputs: number;
  loaded: number;
  refused: number;
  slowest_ms: number;
  memory_factor: number;
  failures: readonly unknown[];
}

/** docs/reliability.json; a kind that never ran is not there. */
export interface Reliability {
  kill?: Killed & { seed: number; runs: number; moments: Readonly<Record<string, number>> };
  writes?: Killed;
  soak?: { training: Soaked; evaluation: Soaked };
  fuzz?: { kinds: Readonly<Record<string, Fuzzed>> };
}

/** What became of runs that were killed. */
const ending = ({ different, left_over }: Killed): string =>
  `${different.length} ended otherwise than one that nothing interrupted, ${left_over.length} temporary files were left`;

function killed({ kills, runs, seed, moments, ...rest }: NonNullable<Reliability["kill"]>): string {
  const rows = Object.entries(moments).map(([moment, count]): TableRow => ({ "killed at": moment, kills: count }));
  return `**Kills at random moments:** ${kills} in ${runs} runs (seed ${seed}); ${ending({ kills, ...rest })}.\n\n${toMarkdown(rows)}`;
}

const injected = (writes: Killed): string =>
  `**Faults injected into writes:** ${writes.kills}, one after another in one run; ${ending(writes)}.\n`;

/** A slope with three digits; 0 where there is none. */
const slope = (value: number): string => String(Number(value.toPrecision(3)));

const soakedRow = (what: string, { counts, slopes }: Soaked): TableRow => ({
  "after each": what,
  counts,
  tensors: slope(slopes.tensors),
  "resident memory (kB)": slope(slopes.residentBytes / 1000),
  "open files": slope(slopes.openFiles),
  "compiled traces": slope(slopes.traces),
});

const soaked = ({ training, evaluation }: NonNullable<Reliability["soak"]>): string =>
  `**Growth in a long process:** slope of each count over the later half.\n\n${toMarkdown([
    soakedRow("training step", training),
    soakedRow("batch of answers", evaluation),
  ])}`;

function fuzzed({ kinds }: NonNullable<Reliability["fuzz"]>): string {
  const rows = Object.entries(kinds).map(([kind, found]): TableRow => ({
    input: kind,
    seed: found.seed,
    inputs: found.inputs,
    read: found.loaded,
    refused: found.refused,
    failures: found.failures.length,
    "slowest (ms)": found.slowest_ms,
    "memory (of good inputs')": found.memory_factor.toFixed(2),
  }));
  return `**Changed input:**\n\n${toMarkdown(rows)}`;
}

/** The block; kinds that never ran are left out. */
export function reliabilityBlock({ kill, writes, soak, fuzz }: Reliability): string {
  const parts = [kill && killed(kill), writes && injected(writes), soak && soaked(soak), fuzz && fuzzed(fuzz)];
  return parts.filter((part) => part !== undefined).join("\n");
}
