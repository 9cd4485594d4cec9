import { describe, expect, it } from "vitest";
import { FLEET, simulateFleet, type Fleet } from "../../lib/plan/fleet";

/** Two workers of 10 s a batch, updates of 4 s on two batches, nothing random. */
const still: Fleet = {
  workers: 2,
  batchesPerUpdate: 2,
  batchSeconds: 10,
  spread: 0,
  slowShare: 0,
  slowFactor: 1,
  failuresPerHour: 0,
  repairSeconds: 0,
  updateSeconds: 4,
  pushSeconds: 1,
  staleness: 0,
};

describe("a fleet without chance", () => {
  it("synchronous: sample, update, again; workers wait for updates", () => {
    const result = simulateFleet(still, 0, 3);
    // 1 s for the weights, 10 s of sampling, 4 s of update, three times
    expect(result).toMatchObject({ seconds: 45, meanStaleness: 0, largestStaleness: 0, dropped: 0, lost: 0 });
    expect(result.sampling).toBeCloseTo(33 / 45, 9);
    expect(result.waiting).toBeCloseTo(12 / 45, 9);
    expect(result.trainerWaiting).toBeCloseTo(33 / 45, 9);
  });

  it("with a bound of 1 workers do not wait: the next batches are sampled during the update", () => {
    // first batches at 11; the next begin at once with weights 0 and end at 21, the update ended at 15
    const result = simulateFleet({ ...still, staleness: 1 }, 0, 3);
    // 11, 21 (weights 0), 32 (weights 1, a push of 1 s); the last update ends at 36
    expect(result.seconds).toBe(36);
    expect(result.meanStaleness).toBeCloseTo((0 + 1 + 1) / 3, 9);
    expect(result.waiting).toBe(0);
  });

  it("synchronous: one slow worker of two makes everybody wait for it", () => {
    const result = simulateFleet({ ...still, slowShare: 0.5, slowFactor: 3 }, 0, 1);
    expect(result.seconds).toBe(1 + 30 + 4);
  });

  it("keeps what each worker did at the beginning", () => {
    const { trace } = simulateFleet(still, 0, 2, { traceSeconds: 20 });
    const first = trace.filter(({ worker }) => worker === 0);
    expect(first).toEqual([
      { worker: 0, from: 0, to: 11, state: "sampling" },
      { worker: 0, from: 11, to: 15, state: "waiting" },
      { worker: 0, from: 15, to: 20, state: "sampling" },
    ]);
  });
});

describe("a fleet of 64", () => {
  const run = (more: Partial<Fleet>, seed = 1) => simulateFleet({ ...FLEET, ...more }, seed, 30);

  it("gives the same again for a seed, and something else for another", () => {
    expect(run({ staleness: 2 })).toEqual(run({ staleness: 2 }));
    expect(run({ staleness: 2 }, 2).seconds).not.toBe(run({ staleness: 2 }).seconds);
  });

  it("is faster the staler its weights may be, waits less, and never uses older ones", () => {
    const results = [0, 1, 2, 4].map((staleness) => run({ staleness }));
    results.forEach(({ largestStaleness }, i) => expect(largestStaleness).toBeLessThanOrEqual([0, 1, 2, 4][i]));
    for (let i = 1; i < results.length; i++) {
      expect(results[i].batchesPerHour).toBeGreaterThan(results[i - 1].batchesPerHour);
      expect(results[i].waiting).toBeLessThanOrEqual(results[i - 1].waiting);
      expect(results[i].meanStaleness).toBeGreaterThan(results[i - 1].meanStaleness);
    }
    for (const { sampling, waiting, down } of results) expect(sampling + waiting + down).toBeCloseTo(1, 9);
  });

  it("goes on through failures, with what was lost sampled again", () => {
    const often = run({ failuresPerHour: 6, staleness: 0 });
    expect(often.lost).toBeGreaterThan(10);
    expect(often.down).toBeGreaterThan(0.1);
    expect(often.batchesPerHour).toBeLessThan(run({ failuresPerHour: 0 }).batchesPerHour);
  });

  it.each([
    [{ workers: 0 }, /workers is 0; expected a whole number of at least 1/],
    [{ staleness: 1.5 }, /staleness is 1\.5; expected a whole number of at least 0/],
    [{ batchSeconds: 0 }, /batchSeconds is 0; expected a number above 0/],
    [{ slowShare: 2 }, /slowShare is 2; expected a share/],
    [{ spread: NaN }, /spread is NaN/],
  ])("refuses %j", (more, message) => {
    expect(() => run(more)).toThrow(message);
  });
});
