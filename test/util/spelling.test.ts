import { describe, expect, it } from "vitest";
import { nameSimilarity } from "../../lib/util/spelling";

describe("nameSimilarity", () => {
  it("is the share of letter trigrams: `  cat ` and `  car ` share 2 of 6", () => {
    expect(nameSimilarity("cat", "Car")).toBe(2 / 6); // "  c", " ca" of "cat", "at ", "car", "ar "
    expect(nameSimilarity("Song_Sparrow", "song sparrow")).toBe(1);
    expect(nameSimilarity("fox", "wolf")).toBe(0);
  });
});
