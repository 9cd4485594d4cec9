/** The short forms of `npm run torture`: the long ones' figures are in docs/reliability.json. */
import { describe, expect, it } from "vitest";
import { killRuns } from "../../tools/torture/kill";
import { laterHalf, slopeOf } from "../../tools/torture/slope";
import { soak } from "../../tools/torture/soak";

describe("slopeOf", () => {
  it.each([
    [[3, 3, 3], 0],
    [[1, 3, 5, 7], 2],
    [[0, 1, 0], 0],
    [[4, 1], -3],
    [[4], 0],
    [[], 0],
  ])("%j: %d", (values, slope) => expect(slopeOf(values)).toBeCloseTo(slope, 12));
  it("takes the later half", () => expect(laterHalf([1, 2, 3, 4, 5])).toEqual([3, 4, 5]));
});

describe("a long run", () => {
  it("killed at three random moments ends as one that nothing interrupted", async () => {
    const { kills, different, left_over } = await killRuns(3, Date.now() % 2 ** 31, () => undefined);
    expect({ kills, different, left_over }).toEqual({ kills: 3, different: [], left_over: [] });
  }, 600_000);

  it("of 20 steps and 16 photographs leaves tensors, files and traces flat", async () => {
    const { training, evaluation } = await soak(20, 16);
    expect(training.counts).toBe(20);
    for (const { slopes } of [training, evaluation]) {
      expect(slopes.tensors).toBe(0);
      expect(slopes.openFiles).toBe(0);
    }
    expect(training.slopes.traces).toBeLessThan(0.5); // a response longer than any before has a shape of its own
    expect(training.slopes.residentBytes).toBeLessThan(4 * 2 ** 20);
  }, 600_000);
});
