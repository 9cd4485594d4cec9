import { describe, expect, it } from "vitest";
import { useBf16 } from "../../lib/engine/precision";

describe("precision", () => {
  it("is what is asked for, whatever the processor", () => {
    expect(useBf16("bfloat16", "")).toBe(true);
    expect(useBf16("float32", "avx512_bf16")).toBe(false);
  });

  it("auto is bfloat16 on processors that multiply it natively", () => {
    expect(useBf16("auto", "fpu avx2 avx512f avx512_bf16 vpclmulqdq", false)).toBe(true);
    expect(useBf16("auto", "amx_tile amx_bf16", false)).toBe(true);
    expect(useBf16("auto", "fpu avx2 avx512f", false)).toBe(false);
    expect(useBf16("auto", "avx512_bf16x", false)).toBe(false);
  });

  it("auto is bfloat16 on a GPU", () => expect(useBf16("auto", "fpu avx2", true)).toBe(true));
});
