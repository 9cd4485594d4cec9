/** The card of an exported dataset. */
import { describe, expect, it } from "vitest";
import { sizeCategory } from "../../lib/export/dataset-card";

describe("sizeCategory", () => {
  it.each([
    [0, "n<1K"],
    [999, "n<1K"],
    [1_000, "1K<n<10K"],
    [10_000, "10K<n<100K"],
    [99_999, "10K<n<100K"],
    [100_000, "100K<n<1M"],
    [5_000_000, "1M<n<10M"],
    [200_000_000, "100M<n<1B"],
    [2_000_000_000, "1B<n<10B"],
  ])("%d rows: %s", (rows, name) => expect(sizeCategory(rows)).toBe(name));
});
