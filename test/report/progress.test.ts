import { afterEach, describe, expect, it, vi } from "vitest";
import { formatDuration, progress, progressText, REWRITE_VARIABLE } from "../../lib/report/progress";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

describe("progressText", () => {
  it("has the bars of several displays below one another", () => {
    const lines = [
      progressText("SFT", 3, 12, 30, "loss 0.31"),
      progressText("TAPO, seed 3", 120, 1200, 60),
      progressText("evaluate", 12, 12, 3723),
    ];
    expect(lines).toEqual([
      "SFT                       ██████░░░░░░░░░░░░░░░░░░ 3/12       30 s, 1:30 left  loss 0.31",
      "TAPO, seed 3              ██░░░░░░░░░░░░░░░░░░░░░░ 120/1200   1:00, 9:00 left",
      "evaluate                  ████████████████████████ 12/12      1:02:03",
    ]);
    expect(new Set(lines.map((line) => line.search(/[█░]/))).size).toBe(1);
  });

  it("shows a longer label whole, and an empty total as done", () => {
    expect(progressText("a label of more than twenty-four characters", 0, 0, 0)).toMatch(
      /^a label .* characters {2}█{24} 0\/0/,
    );
  });
});

it("formatDuration", () => {
  expect([-1, 0, 59.6, 61, 3600].map(formatDuration)).toEqual(["0 s", "0 s", "1:00", "1:01", "1:00:00"]);
});

it("progress rewrites its line for a reader that handles carriage returns, and ends it", () => {
  vi.stubEnv(REWRITE_VARIABLE, "1");
  const isTTY = process.stderr.isTTY;
  process.stderr.isTTY = false;
  let written = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => ((written += String(text)), true));
  const bar = progress("Steps", 2);
  bar.update(1); // within the same quarter of a second: not drawn
  bar.finish("done");
  process.stderr.isTTY = isTTY;
  expect(written).toMatch(/^\rSteps +░{24} 0\/2 +0 s\rSteps +█{24} 2\/2 +0 s {2}done\n$/);
});
