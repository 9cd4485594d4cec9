import { afterEach, describe, expect, it } from "vitest";
import { interruptSignal, throwIfAborted, yieldToEventLoop } from "../../lib/util/abort";

const KERNEL = Symbol.for("fine-r1.kernel");
const global = globalThis as unknown as Record<symbol, unknown>;
afterEach(() => void delete global[KERNEL]);

describe("interruptSignal", () => {
  it("is never aborted outside a notebook", async () => {
    const signal = interruptSignal();
    await yieldToEventLoop();
    expect(signal.aborted).toBe(false);
    expect(interruptSignal()).toBe(signal);
    expect(() => throwIfAborted(signal)).not.toThrow();
  });

  it("is the running cell's in a notebook", async () => {
    const abort = new AbortController();
    global[KERNEL] = { signal: () => abort.signal };
    const signal = interruptSignal();
    await yieldToEventLoop();
    const reason = new Error("Interrupted");
    abort.abort(reason);
    expect(() => throwIfAborted(signal)).toThrow(reason);
    await expect(yieldToEventLoop()).rejects.toBe(reason);
  });
});

describe("throwIfAborted", () => {
  it("throws an Error, whatever the reason was", () => {
    expect(() => throwIfAborted(AbortSignal.abort("enough"))).toThrow(new Error("aborted: enough"));
    expect(() => throwIfAborted(AbortSignal.abort())).toThrow(/aborted/);
  });
});

describe("yieldToEventLoop", () => {
  it("lets timers and what is due run", async () => {
    let ran = false;
    setImmediate(() => (ran = true));
    await yieldToEventLoop();
    expect(ran).toBe(true);
  });
});
