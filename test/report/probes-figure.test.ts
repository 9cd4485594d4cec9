import { describe, expect, it } from "vitest";
import { probeRow } from "../../lib/eval/probes";
import { probesFigure } from "../../lib/report/probes-figure";

describe("probesFigure", () => {
  it("has a bar for every line, and what guessing scores once a split", () => {
    const rows = ["base", "sft"].flatMap((method) =>
      ["seen", "unseen"].map((split) =>
        probeRow(method, "linear: visual features", split, [true, true, false, true], 0.25),
      ),
    );
    const { data } = probesFigure(rows);
    const bars = data.filter((trace) => trace.type === "bar");
    expect(bars).toHaveLength(4);
    expect(bars.map((bar) => bar.y)).toEqual([[75], [75], [75], [75]]);
    const guesses = data.filter((trace) => trace.name === "Guessing");
    expect(guesses.map((trace) => trace.y)).toEqual([[25], [25]]);
  });
});
