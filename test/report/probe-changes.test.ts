/** The changes that hypothesis H8 speaks of, by hand-worked accuracies. */
import { describe, expect, it } from "vitest";
import type { ProbeRow } from "../../lib/eval/probes";
import { probeChanges, probeChangesTable, verdictOnH8 } from "../../lib/report/probe-changes";

const row = (method: string, probe: string, split: string, accuracy: number): ProbeRow => ({
  method,
  probe,
  split,
  n: 200,
  correct: Math.round(200 * accuracy),
  accuracy,
  low: 0,
  high: 1,
  chance: 0.25,
});
const METHODS = ["base", "sft", "tapo"];
const VISUAL = "linear: visual features";
const KNOWN = "text: name to attributes";
const three = (probe: string, split: string, [base, sft, tapo]: readonly number[]): ProbeRow[] => [
  row("base", probe, split, base),
  row("sft", probe, split, sft),
  row("tapo", probe, split, tapo),
];

describe("probeChanges", () => {
  it("goes from the first method to the last, whatever is between", () => {
    const [change] = probeChanges(three(VISUAL, "seen", [0.5, 0.9, 0.515]), METHODS);
    expect(change.points).toBeCloseTo(1.5, 9);
    expect(change.accuracy).toEqual({ base: 0.5, sft: 0.9, tapo: 0.515 });
    expect(change.holds).toBe(true);
  });

  it("takes two points for within, also where their difference is not exact in binary", () => {
    const [up, down, over] = [
      [0.57, 0, 0.59],
      [0.59, 0, 0.57],
      [0.57, 0, 0.5902],
    ].map((shares) => probeChanges(three(VISUAL, "seen", shares), METHODS)[0].holds);
    expect([up, down, over]).toEqual([true, true, false]);
  });

  it("names a row that is not there", () => {
    const rows = three(KNOWN, "unseen", [1, 1, 1]).slice(0, 2);
    expect(() => probeChanges(rows, METHODS)).toThrow('tapo has no row of "text: name to attributes" (unseen)');
  });
});

describe("verdictOnH8", () => {
  const verdict = (...rows: ProbeRow[]): string => verdictOnH8(probeChanges(rows, METHODS));

  it("reads H8's own probes alone", () => {
    const colour = three("transfer: main colour", "seen", [0.5, 0.6, 0.7]);
    expect(verdict(...three(VISUAL, "seen", [0.5, 0.5, 0.51]), ...colour)).toBe(
      "H8 holds as it is written: of 1 figures 0 changed by more than 2 points.",
    );
    expect(verdict(...colour)).toBe("H8 cannot be read: none of its probes was run.");
    expect(probeChangesTable(probeChanges(colour, METHODS))[0]["within 2 points"]).toBe("not of H8");
  });

  it("names what is against it", () => {
    const rows = [...three(VISUAL, "seen", [0.5, 0.5, 0.51]), ...three(KNOWN, "unseen", [0.98, 0.96, 0.95])];
    expect(verdict(...rows)).toBe(
      "H8 does not hold as it is written: of 2 figures 1 changed by more than 2 points: text: name to attributes, unseen (-3.0).",
    );
  });
});
