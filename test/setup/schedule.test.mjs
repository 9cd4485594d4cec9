import { describe, expect, it, vi } from "vitest";
import { places, runSteps } from "../../tools/setup/schedule.mjs";

/** Steps that say in `events` when they begin and end, and end when they are told to. */
function staged(after) {
  const events = [];
  const ends = {};
  const steps = Object.entries(after).map(([name, names]) => ({
    name,
    title: name,
    after: names,
    isDone: () => false,
    run: () => {
      events.push(`+${name}`);
      return new Promise((resolve, reject) => {
        ends[name] = async (error) => {
          events.push(`-${name}`);
          if (error === undefined) resolve();
          else reject(error);
          await new Promise(setImmediate);
        };
      });
    },
  }));
  return { steps, events, ends };
}

describe("runSteps", () => {
  it("runs side by side what does not build on one another, and the rest in order", async () => {
    const { steps, events, ends } = staged({ last: ["a", "b"], a: [], b: [], c: [] });
    const end = runSteps(steps, {});
    await new Promise(setImmediate);
    expect(events).toEqual(["+a", "+b", "+c"]);
    await ends.a();
    expect(events).not.toContain("+last");
    await ends.b();
    expect(events.at(-1)).toBe("+last");
    await ends.last();
    await ends.c();
    expect(await end).toBe(true);
  });

  it("asks whether a step is done when those before it have ended, not earlier", async () => {
    let isThere = true;
    const run = vi.fn();
    const steps = [
      { name: "a", title: "a", isDone: () => false, run: async () => void (isThere = false) },
      { name: "b", title: "b", after: ["a"], isDone: () => isThere, run },
      { name: "c", title: "c", after: ["a"], isDone: () => true, run: () => expect.unreachable() },
    ];
    expect(await runSteps(steps, {})).toBe(true);
    expect(run).toHaveBeenCalledOnce();
  });

  it("lets what runs go on after a failure, starts nothing more, and tells of each failure", async () => {
    const { steps, events, ends } = staged({ a: [], b: [], c: [], d: ["b"] });
    const failed = vi.fn();
    const end = runSteps(steps, {}, { failed });
    await new Promise(setImmediate);
    await ends.a(new Error("no network"));
    await ends.b();
    await ends.c(new Error("no space"));
    expect(await end).toBe(false);
    expect(events).not.toContain("+d");
    expect(failed.mock.calls.map(([step, error]) => [step.name, error.message])).toEqual([
      ["a", "no network"],
      ["c", "no space"],
    ]);
  });

  it.each([{ a: ["b"], b: ["a"] }, { a: ["nothing"] }])("refuses steps that could never start: %j", async (after) => {
    await expect(runSteps(staged(after).steps, {})).rejects.toThrow(/wait for one another.*a \(after/);
  });
});

describe("places", () => {
  it("runs no more tasks at a time than there are places, the costliest first", async () => {
    const place = places(2);
    const order = [];
    let running = 0;
    const task = (name) => async () => {
      order.push(name);
      expect(++running).toBeLessThanOrEqual(2);
      await new Promise(setImmediate);
      running--;
    };
    await Promise.all([1, 30, 5, 20, 2].map((cost) => place(cost, task(cost))));
    expect(order).toEqual([30, 20, 5, 2, 1]);
  });

  it("frees the place of a task that throws", async () => {
    const place = places(1);
    await expect(place(1, async () => Promise.reject(new Error("compiler")))).rejects.toThrow("compiler");
    expect(await place(1, async () => "next")).toBe("next");
  });
});
