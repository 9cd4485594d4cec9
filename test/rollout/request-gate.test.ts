import { describe, expect, it } from "vitest";
import { createGate, waitMs } from "../../lib/rollout/request-gate";

describe("createGate", () => {
  it("runs so many tasks at once and spaces their starts, in order", async () => {
    const started: number[] = [];
    const slept: number[] = [];
    let running = 0;
    let most = 0;
    const gate = createGate({
      concurrency: 2,
      requestsPerMinute: 120,
      now: () => 0,
      sleep: (ms) => (slept.push(ms), Promise.resolve()),
    }); // the clock stands still
    const task = (i: number) => async (): Promise<void> => {
      started.push(i);
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    };
    await Promise.all([0, 1, 2, 3].map((i) => gate.run(task(i))));
    expect(started).toEqual([0, 1, 2, 3]);
    expect(slept).toEqual([500, 1000, 1500]);
    gate.pause(10_000);
    await gate.run(task(4));
    expect(slept[3]).toBe(10_000);
    expect(most).toBe(2);
    expect(() => createGate({ concurrency: 0, requestsPerMinute: 0, sleep: () => Promise.resolve() })).toThrow(
      /concurrency is 0/,
    );
    expect(() => createGate({ concurrency: 1, requestsPerMinute: -1, sleep: () => Promise.resolve() })).toThrow(
      /requests per minute is -1/,
    );
  });

  it("holds tasks back that wait for their time already, in order and spaced", async () => {
    let clock = 0;
    const started: [number, number][] = [];
    const sleepers: { until: number; wake: () => void }[] = [];
    const gate = createGate({
      concurrency: 4,
      requestsPerMinute: 60,
      now: () => clock,
      sleep: (ms) => new Promise((wake) => sleepers.push({ until: clock + ms, wake })),
    });
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const advance = async (to: number): Promise<void> => {
      for (; clock <= to; clock += 250) {
        for (const due of sleepers.filter(({ until }) => until <= clock))
          sleepers.splice(sleepers.indexOf(due), 1)[0].wake();
        await turn();
      }
    };
    const run = (i: number): Promise<void> => gate.run(() => Promise.resolve(void started.push([i, clock])));
    const tasks = [0, 1, 2].map(run); // at 0, 1000 and 2000
    await advance(500);
    gate.pause(5000 - clock);
    tasks.push(run(3));
    await advance(10_000);
    await Promise.all(tasks);
    expect(started).toEqual([
      [0, 0],
      [1, 5000],
      [2, 6000],
      [3, 7000],
    ]);
  });

  it("ends a task that waits for its time as soon as its signal aborts", async () => {
    const controller = new AbortController();
    const gate = createGate({ concurrency: 2, requestsPerMinute: 1, sleep: waitMs });
    await gate.run(() => Promise.resolve());
    const waiting = gate.run(() => Promise.resolve("ran"), controller.signal);
    gate.pause(60_000);
    controller.abort(new Error("stopped"));
    await expect(waiting).rejects.toThrow("stopped");
  });
});
