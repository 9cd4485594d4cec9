/** What `npm run interop` left: the page is of the committed figures, and these hold. */
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { firstDifference, page, reportFile, scriptsHash, type Interop } from "../../tools/interop/report";

const report = JSON.parse(readFileSync(reportFile, "utf8")) as Interop;

describe("docs/interop.json", () => {
  it("has TRL's SFT and GRPO and LLaMA-Factory's SFT and ms-swift's, first losses equal within 1e-3", () => {
    expect(report.trainings.map(({ engine, what }) => `${engine}, ${what}`)).toEqual([
      "TRL, SFTTrainer (Stage 1)",
      "TRL, GRPOTrainer (Stage 2, CLS-RL)",
      "LLaMA-Factory, SFT (Stage 1)",
      "ms-swift, SFT (Stage 1)",
    ]);
    for (const training of report.trainings) expect(firstDifference(training)).toBeLessThanOrEqual(1e-3);
    expect(report.tolerance).toBe(1e-3);
  });

  it("has equal losses and gradient norms after several of TRL's updates too", () => {
    for (const { engine, steps } of report.trainings.filter((one) => one.engine === "TRL")) {
      expect([engine, steps.length]).toEqual([engine, 4]);
      for (const { loss, gradNorm } of steps) {
        expect(Math.abs(loss.theirs - loss.here)).toBeLessThan(1e-4);
        expect(Math.abs(gradNorm.theirs - gradNorm.here)).toBeLessThan(1e-3);
      }
      expect(Math.max(...steps.map(({ gradNorm }) => gradNorm.here))).toBeGreaterThan(0.1); // something was learnt
    }
  });

  it("is of the scripts that exports have today (npm run interop makes it anew)", () => {
    expect(report.scripts).toBe(scriptsHash());
  });

  it("is what docs/interop.md shows", () => {
    expect(readFileSync(path.join(path.dirname(reportFile), "interop.md"), "utf8")).toBe(page(report));
  });
});
