/** Hugging Face transformers' numbers, from fixtures that scripts/parity/run.ts --fixtures writes; no Python needed. */
import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { compareCase, compareTokens } from "../../scripts/parity/compare";

const root = path.join(__dirname, "../fixtures/parity");
const cases = fs.readdirSync(root);

describe("parity with transformers", () => {
  it("has fixtures of a tied model in one file and an untied bf16 model in shards", () => expect(cases).toEqual(["fixture-tied", "fixture-untied"]));
  it.each(cases)("%s: prompts, positions, pixels and logits of all rows in one padded batch", async (name) => {
    const report = await compareCase(path.join(root, name));
    expect(report).toMatchObject({ rows: 5, texts: 0, tokenIds: 0, positions: 0, pixels: 0 });
    expect(report.logits).toBeLessThan(1e-4);
    expect(report.largestLogit).toBeGreaterThan(1);
  });
  it("300 strings give equal tokens and text", () => expect(compareTokens(path.join(root, "fixture-tied"))).toEqual({ strings: 300, differing: [] }));
});
