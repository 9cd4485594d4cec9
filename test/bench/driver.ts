/** Measures a case: both sides in processes of their own, in turns; the one whose turn it is not is stopped. */
import { BenchProcess, SideError, type Ready, type Run } from "./process";
import type { CaseSpec, Failure, Machine, Measurement, Peer, ResultRow, Side } from "./types";

/** The middle value; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Milliseconds between two turns. */
const REST = 250;
/** A peer that is slower than this times the fastest so far after two rounds is not measured further. */
const HOPELESS = 1.5;

const rest = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, REST));
const groupOf = (side: Side): string => side.group ?? "all";

/** Seconds of a run in the case's unit, per what the case counts. */
export function inUnit(spec: Pick<CaseSpec, "unit" | "per">, seconds: number, work: Record<string, number>): number {
  const count = spec.per === undefined ? 1 : work[spec.per];
  if (!(count > 0)) throw new Error(`bench: work.${spec.per} is ${count}; it divides the time`);
  return (seconds * { s: 1, ms: 1e3, µs: 1e6 }[spec.unit]) / count;
}

/** `ms per step`. */
export const unitName = ({ unit, per }: Pick<CaseSpec, "unit" | "per">): string =>
  per === undefined ? unit : `${unit} per ${per.replace(/s$/, "")}`;

/** Three digits, more before the point. */
export const shortNumber = (x: number): string => (x >= 100 ? x.toFixed(0) : x.toPrecision(3));

/** Our fastest variant of a group: each runs alone, three times. */
async function ourFastest(sides: readonly Side[], rounds: number): Promise<Side> {
  if (sides.length === 1) return sides[0];
  let best = { side: sides[0], seconds: Infinity };
  for (const side of sides) {
    const { process } = await BenchProcess.start(side);
    const runs: number[] = [];
    while (runs.length < Math.min(3, rounds)) runs.push((await process.run()).seconds);
    await process.stop();
    if (median(runs) < best.seconds) best = { side, seconds: median(runs) };
  }
  return best.side;
}

/** Work that both sides report must be the same. @throws Error naming what differs */
function checkWork(ours: Ready, peer: Ready): void {
  for (const [name, count] of Object.entries(ours.work)) {
    if (name in peer.work && peer.work[name] !== count)
      throw new Error(`not the same work: ${name} is ${count} on our side, ${peer.work[name]} on the peer's`);
  }
}

/**
 * One of our sides against one peer, in turns; who begins changes from round to round.
 * @param best fastest peer of the group so far, in the case's unit
 */
async function pair(spec: CaseSpec, side: Side, peer: Peer, rounds: number, best: number): Promise<Measurement> {
  const theirs = await BenchProcess.start(peer);
  try {
    const ours = await BenchProcess.start(side);
    try {
      checkWork(ours.ready, theirs.ready);
      const runs: { ours: Run[]; peer: Run[] } = { ours: [], peer: [] };
      const value = (name: "ours" | "peer", run: Run): number =>
        inUnit(spec, run.seconds, (name === "ours" ? ours : theirs).ready.work);
      const times = (name: "ours" | "peer"): number[] => runs[name].map((run) => value(name, run));
      for (let round = 0; round < rounds; round++) {
        for (const turn of round % 2 === 0 ? (["ours", "peer"] as const) : (["peer", "ours"] as const)) {
          const [{ process: active }, { process: idle }] = turn === "ours" ? [ours, theirs] : [theirs, ours];
          idle.pause();
          active.resume();
          await rest();
          runs[turn].push(await active.run());
        }
        if (round === 1 && Math.min(...times("peer")) > HOPELESS * best) break;
      }
      const checksums = (name: "ours" | "peer"): number[] => [
        (name === "ours" ? ours : theirs).ready.value,
        ...runs[name].map((run) => run.value),
      ];
      const tolerance = typeof spec.tolerance === "object" ? spec.tolerance[groupOf(side)] : spec.tolerance;
      const difference =
        tolerance === undefined
          ? null
          : Math.max(...checksums("ours").map((x, i) => Math.abs(x - checksums("peer")[i])));
      if (tolerance !== undefined && !(difference! <= tolerance))
        throw new Error(
          `the results differ by ${difference!.toPrecision(3)} (ours ${checksums("ours").pop()}, the peer's ${checksums("peer").pop()}); at most ${tolerance} is allowed`,
        );
      const [ourTimes, peerTimes] = [times("ours"), times("peer")];
      const range = (values: number[]): [number, number] => [Math.min(...values), Math.max(...values)];
      return {
        group: groupOf(side),
        ours: median(ourTimes),
        peer: median(peerTimes),
        ratio: median(peerTimes) / median(ourTimes),
        ours_variant: side.variant,
        peer_name: peer.peer_name,
        rounds: ourTimes.length,
        spread: { ours: range(ourTimes), peer: range(peerTimes) },
        compile: { ours: ours.ready.setUpSeconds, peer: theirs.ready.setUpSeconds },
        work: { ours: ours.ready.work, peer: theirs.ready.work },
        versions: { ours: ours.ready.versions, peer: theirs.ready.versions },
        difference,
      };
    } finally {
      await ours.process.stop();
    }
  } finally {
    await theirs.process.stop();
  }
}

/**
 * All pairs of a case. The row is that of the least ratio, to whichever peer and in whichever group: each ratio is of
 * runs in turn, so it says more than times of peers that were measured at different minutes. A peer that does not work
 * is kept in `detail` with its error.
 * @throws Error where our side fails, or no peer of some group works
 */
export async function measure(
  spec: CaseSpec,
  options: { rounds?: number; machine: Machine; inputs: string; onPair?: (line: string) => void },
): Promise<ResultRow> {
  const rounds = options.rounds ?? spec.rounds;
  await spec.prepare?.();
  const sides = Array.isArray(spec.ours) ? (spec.ours as Side[]) : [spec.ours as Side];
  const detail: (Measurement | Failure)[] = [];
  const measured: Measurement[] = [];
  for (const group of new Set(sides.map(groupOf))) {
    const side = await ourFastest(
      sides.filter((one) => groupOf(one) === group),
      rounds,
    );
    const found: Measurement[] = [];
    for (const peer of spec.peers.filter((one) => groupOf(one) === group)) {
      try {
        const one = await pair(spec, side, peer, rounds, Math.min(...found.map((m) => m.peer)));
        found.push(one);
        options.onPair?.(
          `${spec.name}: ${side.variant || "ours"} ${shortNumber(one.ours)}, ${peer.peer_name} ${shortNumber(one.peer)} ${unitName(spec)}, ratio ${one.ratio.toFixed(2)}`,
        );
        detail.push(one);
      } catch (error) {
        if (error instanceof SideError && !("kind" in error.side)) throw error;
        const { message } = error as Error;
        options.onPair?.(`${spec.name}: ${peer.peer_name} is left out: ${message}`);
        detail.push({ group, peer_name: peer.peer_name, error: message });
      }
    }
    if (found.length === 0)
      throw new Error(
        `${spec.name}: no peer of group ${group} works (${detail.map((one) => ("error" in one ? one.error : "")).join("; ")})`,
      );
    measured.push(...found);
  }
  const { name, must, aim, tolerance = null } = spec;
  const { machine, inputs } = options;
  return {
    name,
    unit: unitName(spec),
    ...measured.reduce((a, b) => (b.ratio < a.ratio ? b : a)),
    must,
    aim,
    machine,
    tolerance,
    inputs,
    detail,
  };
}
