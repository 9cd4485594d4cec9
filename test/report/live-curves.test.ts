import { afterEach, describe, expect, it, vi } from "vitest";
import { curveSvg, liveHtml } from "../../lib/report/live-curves";
import { progress } from "../../lib/report/progress";

const KERNEL = Symbol.for("fine-r1.kernel");
afterEach(() => {
  vi.useRealTimers();
  delete (globalThis as unknown as Record<symbol, unknown>)[KERNEL];
});

describe("curveSvg", () => {
  it("runs from the lowest value at the bottom to the highest at the top, steps from left to right", () => {
    const points = /points="([^"]+)"/.exec(
      curveSvg([
        [1, 0],
        [2, 1],
        [5, 0.5],
      ]),
    )![1];
    expect(points).toBe("2.0,31.0 38.5,3.0 148.0,17.0");
  });

  it("draws equal values and a single one in the middle, and a long curve with a bounded number of points", () => {
    expect(curveSvg([[1, 7]])).toContain('points="2.0,17.0"');
    const long = Array.from({ length: 10_000 }, (_, i) => [i, Math.sin(i)] as const);
    const points = /points="([^"]+)"/.exec(curveSvg(long))![1].split(" ");
    expect(points).toHaveLength(150);
    expect(points.at(-1)).toMatch(/^148\.0,/);
  });
});

describe("liveHtml", () => {
  it("has a tile for each metric that was logged, in a fixed order, with its last value and range", () => {
    const html = liveHtml("line <b>", [
      { step: 1, metrics: { kl: 0.5, reward: 0.25, unknown: 9, entropy: null } },
      { step: 2, metrics: { kl: 0.125, reward: 0.75, entropy: Number.NaN } },
    ]);
    expect(html).toContain("line &lt;b&gt;");
    expect(html).toMatch(/reward <b>0\.750<\/b>[^]*0\.250 to 0\.750[^]*KL to the negative <b>0\.1250<\/b>/);
    expect(html).toContain('alt="reward, steps 1 to 2: 0.250 to 0.750"');
    expect(html).not.toMatch(/unknown|entropy|NaN/);
  });

  it("is the line alone where nothing was logged", () => {
    expect(liveHtml("x", [])).toBe('<pre style="margin:0">x</pre>');
  });
});

describe("progress in a notebook", () => {
  it("grows one display by two updates a second at most, and leaves its last state", () => {
    vi.useFakeTimers({ now: 0 });
    const shown: { data: Record<string, string>; options: { id: string; update: boolean } }[] = [];
    const display = (data: Record<string, string>, options: { id: string; update: boolean }): void =>
      void shown.push({ data, options });
    (globalThis as unknown as Record<symbol, unknown>)[KERNEL] = { display };
    const bar = progress("TAPO", 20);
    for (let step = 1; step <= 20; step++) {
      vi.advanceTimersByTime(100);
      bar.metrics(step, { reward: step / 20, tokens: 50 });
      bar.update(step);
    }
    bar.finish();
    expect(shown.length).toBeGreaterThanOrEqual(5);
    expect(shown.length).toBeLessThanOrEqual(2 + 4);
    expect(shown.map(({ options }) => options.update)).toEqual([false, ...shown.slice(1).map(() => true)]);
    expect(new Set(shown.map(({ options }) => options.id)).size).toBe(1);
    expect(shown[0].data).not.toHaveProperty("text/html");
    const { "text/html": html, "text/plain": text } = shown.at(-1)!.data;
    expect(text).toMatch(/20\/20/);
    expect(html).toMatch(/reward <b>1\.000<\/b>[^]*tokens\/s <b>500<\/b>/);
  });
});
