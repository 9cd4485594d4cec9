import { describe, expect, it } from "vitest";
import { fleetFigure, fleetTraceFigure, planFigure } from "../../lib/plan/figures";
import { FLEET, simulateFleet } from "../../lib/plan/fleet";
import { within } from "../../lib/plan/range";

describe("figures of plans", () => {
  it("draw a line and the band of its range in each panel; no price, no line there", () => {
    const points = [1, 10].flatMap((x) => [
      { line: "a", x, hours: within(x, 2), price: within(3 * x, 2) },
      { line: "b", x, hours: within(2 * x, 2), price: null },
    ]);
    const { data, layout } = planFigure(points, "Title", "Size");
    expect(data).toHaveLength(6); // two for each of a's panels, two for b's
    expect(data[0]).toMatchObject({ x: [1, 10, 10, 1], y: [2, 20, 5, 0.5], fill: "toself" });
    expect(data[1]).toMatchObject({ name: "a", x: [1, 10], y: [1, 10], showlegend: true });
    expect((layout.xaxis as { tickvals: number[] }).tickvals).toEqual([1, 10]);
  });

  it("draw what the simulation says", () => {
    const fleet = { ...FLEET, workers: 4, batchesPerUpdate: 4 };
    const results = [0, 2].map((staleness) => ({
      staleness,
      result: simulateFleet({ ...fleet, staleness }, 3, 5, { traceSeconds: 200 }),
    }));
    const { data } = fleetFigure(results, "Fleet");
    expect(data[0]).toMatchObject({ x: ["0", "2"], y: results.map(({ result }) => result.batchesPerHour) });
    const [{ result }] = results;
    const traces = fleetTraceFigure(result.trace, "Trace").data as { name: string; x: number[] }[];
    expect(traces.map(({ name }) => name)).toEqual(["sampling", "waiting", "down"]);
    const drawn = traces.reduce((n, { x }) => n + x.length, 0);
    expect(drawn).toBe(result.trace.length);
  });
});
