import { describe, expect, it } from "vitest";
import { hashOf } from "../../lib/rollout/request-cache";

describe("hashOf", () => {
  it("does not depend on the order of fields, but on their values", () => {
    expect(hashOf({ a: 1, b: { c: [1, 2], d: undefined } })).toBe(hashOf({ b: { c: [1, 2] }, a: 1 }));
    expect(hashOf({ a: [1, 2] })).not.toBe(hashOf({ a: [2, 1] }));
  });
});
