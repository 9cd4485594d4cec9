import { describe, expect, it } from "vitest";
import { useXla } from "../../lib/engine/compiler";

describe("the compiler of a step", () => {
  const plain = { oneShape: true, recomputes: false };

  it("is what is asked for, wherever it runs", () => {
    for (const onGpu of [false, true]) {
      expect(useXla("xla", { oneShape: false, recomputes: true }, onGpu)).toBe(true);
      expect(useXla("graph", plain, onGpu)).toBe(false);
    }
  });

  it("auto is XLA on a GPU, for one shape and where nothing is computed again", () => {
    expect(useXla("auto", plain, true)).toBe(true);
    expect(useXla("auto", plain, false)).toBe(false);
    expect(useXla("auto", { ...plain, oneShape: false }, true)).toBe(false);
    expect(useXla("auto", { ...plain, recomputes: true }, true)).toBe(false);
  });
});
