import { describe, expect, it } from "vitest";
import { firstSlots, packSlots } from "../../lib/rollout/slots";

const open =
  (...rows: number[]) =>
  (row: number): boolean =>
    rows.includes(row);

describe("slots of a decoding batch", () => {
  it("start with the samples of a prompt side by side", () => {
    expect(firstSlots(2, 3)).toEqual({ prompts: [0, 1], perEntry: 3, rows: [0, 1, 2, 3, 4, 5] });
  });

  it("stay where most rows are open", () => {
    const first = firstSlots(4, 4);
    expect(packSlots(first, first, () => true)).toBeNull();
    expect(packSlots(first, first, (row) => row > 1)).toBeNull();
  });

  it("keep whole groups together where whole groups ended", () => {
    const first = firstSlots(4, 4);
    expect(packSlots(first, first, (row) => row < 8)).toEqual({
      prompts: [0, 1],
      perEntry: 4,
      rows: [0, 1, 2, 3, 4, 5, 6, 7],
    });
  });

  it("split a group over entries where a few of each are open", () => {
    const first = firstSlots(4, 4);
    const packed = packSlots(first, first, open(1, 6, 7, 11, 12))!;
    expect(packed.perEntry).toBe(2); // 4 entries of 2, against 5 (bucketed to 8) of 1 and 4 of 4
    expect(packed.prompts).toEqual([0, 1, 2, 3]);
    expect(packed.rows).toEqual([1, -1, 6, 7, 11, -1, 12, -1]);
  });

  it("pack a packed batch again, every open row once and under its own prompt", () => {
    const first = firstSlots(8, 8);
    const once = packSlots(first, first, (row) => row % 3 === 0)!;
    const twice = packSlots(once, first, (row) => row % 12 === 0)!;
    for (const [slots, every] of [
      [once, 3],
      [twice, 12],
    ] as const) {
      expect(slots.rows).toHaveLength(slots.prompts.length * slots.perEntry);
      const held = slots.rows.filter((row) => row >= 0);
      expect([...held].sort((a, b) => a - b)).toEqual(
        Array.from({ length: 64 }, (_, row) => row).filter((row) => row % every === 0),
      );
      slots.rows.forEach(
        (row, slot) => row >= 0 && expect(slots.prompts[Math.floor(slot / slots.perEntry)]).toBe(Math.floor(row / 8)),
      );
    }
    expect(twice.rows.length).toBeLessThan(once.rows.length);
  });

  it("come in few sizes", () => {
    const first = firstSlots(64, 1);
    const sizes = new Set(
      Array.from({ length: 63 }, (_, n) => packSlots(first, first, (row) => row <= n)?.rows.length),
    );
    expect([...sizes]).toEqual([16, 32, 48, undefined]);
  });
});
