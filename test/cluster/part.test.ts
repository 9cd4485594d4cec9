import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parsePart, partText, partsOf, sliceOf } from "../../lib/cluster/part";

describe("parts of rows", () => {
  it("cover all rows once, in order, in whole batches that differ by one at most", () => {
    fc.assert(
      fc.property(fc.nat(500), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 20 }), (rows, batch, of) => {
        const slices = partsOf(rows, batch, of).map((part) => sliceOf(rows, batch, part));
        expect(slices.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))).toEqual(
          Array.from({ length: rows }, (_, i) => i),
        );
        expect(slices.every(({ from, to }) => from % batch === 0 && to > from)).toBe(true);
        const batches = slices.map(({ from, to }) => Math.ceil((to - from) / batch));
        if (batches.length > 0) expect(Math.max(...batches) - Math.min(...batches)).toBeLessThanOrEqual(1);
        expect(slices.length).toBeLessThanOrEqual(of);
      }),
    );
  });

  it("stand on a command line as 2/4, and nothing else does", () => {
    expect(parsePart(partText({ part: 2, of: 4 }))).toEqual({ part: 2, of: 4 });
    for (const text of ["", "0/4", "5/4", "2", "2/4/1", "-1/4", "2/4 ", "a/b", "1e1/20"])
      expect(parsePart(text)).toBeNull();
  });
});
