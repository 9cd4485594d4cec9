import { afterEach, describe, expect, it, vi } from "vitest";
import { watched } from "../../lib/experiment/describe";
import * as series from "../../lib/report/progress";

afterEach(() => void vi.restoreAllMocks());

describe("watched", () => {
  it("has a bar for each phase of a call: where the count begins again, or is of something else", async () => {
    const seen: string[] = [];
    vi.spyOn(series, "progressSeries").mockReturnValue({
      start: () => void seen.push("start"),
      update: (done: number, _note?: string, total?: number) => void seen.push(`${done}/${total}`),
      metrics: (step) => void seen.push(`metrics of ${step}`),
      finish: () => void seen.push("finish"),
      stop: () => undefined,
    });
    const watch = watched("TAPO");
    for (const [done, total, note] of [
      [0, 24, "images described"],
      [24, 24, "images described"],
      [0, 2, "sampling, 0 of 2 groups kept"],
      [0, 2, "update 1 of 1"],
      [1, 2, "reward 0.1"],
      [1, 2, "sampling, 1 of 2 groups kept"],
      [2, 2, "reward 0.2"],
    ] as const)
      await watch.onProgress?.(done, total, note);
    watch.onMetrics?.(2, { reward: 0.2 });
    watch.finish();
    const bars = ["start", "0/24", "24/24", "start", "0/2", "0/2", "1/2", "1/2", "2/2"];
    expect(seen).toEqual([...bars, "metrics of 2", "finish"]);
  });
});
