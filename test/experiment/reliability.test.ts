/** The figures of docs/reliability.md: what the long tests found, as far as they ran. */
import { describe, expect, it } from "vitest";
import { reliabilityBlock } from "../../tools/torture/figures-block";
import { withKinds } from "../../tools/torture/report";

const ended = { different: [{ run: 3, files: ["a"] }], left_over: [] };
const image = { loaded: 40, refused: 60, slowest_ms: 120, memory_factor: 1.1, failures: [{}], inputs: 100, seed: 2 };

describe("reliabilityBlock", () => {
  it("has kills by moment, faults, slopes and inputs by kind", () => {
    const counts = { tensors: 0, residentBytes: 1234.567, openFiles: 0, traces: 0.0014873 };
    const block = reliabilityBlock({
      kill: { kills: 3, runs: 2, seed: 7, moments: { update: 2, start: 1 }, ...ended },
      writes: { kills: 9, different: [], left_over: ["x.tmp"] },
      soak: { training: { counts: 10, slopes: counts }, evaluation: { counts: 5, slopes: counts } },
      fuzz: { kinds: { image } },
    });
    expect(block).toContain("3 in 2 runs (seed 7); 1 ended otherwise");
    expect(block).toContain("| update    |     2 |");
    expect(block).toMatch(/Faults injected into writes:\*\* 9, .* 1 temporary files were left/);
    expect(block).toMatch(/\| training step +\| +10 \| +0 \| +1\.23 \| +0 \| +0\.00149 \|/);
    expect(block).toMatch(/\| image \| +2 \| +100 \| +40 \| +60 \| +1 \| +120 \| +1\.10 \|/);
  });

  it("leaves out what never ran", () => {
    expect(reliabilityBlock({})).toBe("");
    expect(reliabilityBlock({ writes: { kills: 1, different: [], left_over: [] } })).toMatch(/^\*\*Faults/);
  });
});

it("a run of one kind of input leaves the figures of the others", () => {
  const before = { kinds: { image, parquet: { inputs: 5 } } };
  expect(withKinds(before, { parquet: { inputs: 7 } })).toEqual({ kinds: { image, parquet: { inputs: 7 } } });
  expect(withKinds({}, { image })).toEqual({ kinds: { image } });
});
