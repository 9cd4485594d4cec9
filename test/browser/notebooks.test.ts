/** Notebooks in JupyterLab, run by its menu at `smoke` scale. They share a run, so each stage is trained once. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { outputViolations } from "../helpers/axe";
import { findChromium } from "../helpers/chromium";
import { cellsOf, startLab, type Lab } from "../helpers/lab";
import {
  allRun,
  backgroundColours,
  codeCells,
  imageWidths,
  kernelIdle,
  menu,
  watchOutputs,
} from "../helpers/notebook-page";

/** Only has to catch what hangs, also on a busy machine. */
const LIMIT_MS = 240_000;

/** Outputs in the light and in the dark theme, by the menu; the light one stays. */
async function expectAccessible(page: Page): Promise<void> {
  for (const [theme, isLight] of [
    ["Dark", false],
    ["Light", true],
  ] as const) {
    await menu(page, "Settings", "Theme", `JupyterLab ${theme}`);
    const body = `body[data-jp-theme-light="${isLight}"][data-jp-theme-name="JupyterLab ${theme}"]`;
    await page.locator(body).waitFor({ state: "attached" });
    expect(await outputViolations(page), theme).toEqual([]);
  }
}

/** Plotly figures are drawn, and none is wider than its cell. */
async function expectFigures(page: Page, atLeast: number): Promise<void> {
  const figures = page.locator(".jp-OutputArea-output:has(svg.main-svg)");
  await figures.nth(atLeast - 1).waitFor();
  const tooWide = await figures.evaluateAll((outputs) =>
    outputs.flatMap((output) => {
      const { right } = output.getBoundingClientRect();
      const widths = [...output.querySelectorAll("svg.main-svg")].map((svg) => svg.getBoundingClientRect());
      return widths.filter((svg) => svg.width === 0 || svg.right > right + 1).map((svg) => [svg.right, right]);
    }),
  );
  expect(tooWide).toEqual([]);
}

/** Progress is rewritten where it stands: two looks with as many outputs, and another text in the same place. */
function expectRewritten(looks: readonly string[][]): void {
  const isBar = (text: string): boolean => /[█░]{24} \d+\/\d+/.test(text);
  const rewritten = looks.slice(1).filter((now, i) => {
    const before = looks[i];
    return now.length === before.length && now.some((text, k) => isBar(text) && isBar(before[k]) && text !== before[k]);
  });
  expect(rewritten.length, JSON.stringify(looks)).toBeGreaterThan(0);
}

const VIEWER = '[aria-label="Rollouts of one group"]';

/** The viewer's controls, by mouse and by keyboard: the colour of tokens, and which rollouts are shown. */
async function expectControls(page: Page): Promise<void> {
  const viewer = page.locator(VIEWER).last(); // the one scored under both images
  const colours = (): Promise<string[]> => backgroundColours(viewer.locator(".t"));
  const shown = (kind: string): Promise<number> => viewer.locator(`.r${kind}:visible`).count();
  const byKl = await colours();
  await viewer.locator("label", { hasText: "log-prob" }).click();
  const byLogProb = await colours();
  expect(byLogProb).not.toEqual(byKl);
  expect(await viewer.locator(".says:visible").allTextContents()).toEqual(["orange: unlikely"]);

  const all = await viewer.locator(".r").count();
  const counts = [];
  for (const [label, kind] of [
    ["right", ".right"],
    ["wrong", ".wrong"],
    ["format broken", ".broken"],
  ]) {
    await viewer.locator("label", { hasText: label }).click();
    counts.push(await shown(""));
    expect(await shown(""), label).toBe(await viewer.locator(`.r${kind}`).count());
    expect(await shown(kind), label).toBe(await shown(""));
  }
  expect(counts[0] + counts[1]).toBe(all);
  expect(Math.min(...counts)).toBeLessThan(all); // something was hidden
  expect(await colours()).toEqual(byLogProb); // the filter leaves the colour as it was

  // by keyboard: right of the last button is the first; JupyterLab has the arrow keys for itself elsewhere
  const chosen = (): Promise<string[]> =>
    viewer.locator("input:checked").evaluateAll((inputs) => inputs.map(({ id }) => id.replace(/^rollouts-\d+-/, "")));
  await viewer.locator('input[name$="-s"]:checked').focus();
  await page.keyboard.press("ArrowRight");
  expect(await chosen()).toEqual(["c-l", "s-all"]);
  expect(await shown("")).toBe(all);
  await page.keyboard.press("ArrowRight");
  expect(await chosen()).toEqual(["c-l", "s-right"]);
  expect(await shown("")).toBe(counts[0]);
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("ArrowLeft");
  expect(await chosen()).toEqual(["c-k", "s-right"]);
  expect(await colours()).toEqual(byKl);
}

describe.skipIf(findChromium() === null)("notebooks in JupyterLab", { timeout: LIMIT_MS }, () => {
  let lab: Lab;
  beforeAll(async () => void (lab = await startLab("browser-notebooks")));
  afterAll(() => lab.close());

  /** Runs all cells by the menu. */
  const runAll = async (page: Page): Promise<void> => {
    await menu(page, "Run", "Run All Cells");
    await allRun(page, LIMIT_MS);
  };
  const withNotebook = (name: string, use: (page: Page) => Promise<void>): Promise<void> =>
    lab.use(name, lab.addNotebook(name, cellsOf(name)), async (page) => {
      await kernelIdle(page);
      await use(page);
    });

  it("runs the tour: every cell has a number, images are there, nobody asks about news", () =>
    withNotebook("00-tour", async (page) => {
      await runAll(page);
      const widths = await imageWidths(page.locator(".jp-OutputArea-output img"));
      expect(widths.length).toBeGreaterThanOrEqual(2);
      expect(Math.min(...widths)).toBeGreaterThan(0);
      expect(await page.locator(".jp-Dialog, .Toastify__toast").allTextContents()).toEqual([]);
      await expectAccessible(page);
    }));

  it("runs 03: progress in its place, a figure as wide as its cell, a viewer with controls", () =>
    withNotebook("03-tapo", async (page) => {
      const training = codeCells(page).filter({ hasText: /^\s*.*\/\/ CLS-RL/ });
      expect(await training.count()).toBe(1);
      const looks = await watchOutputs(training);
      await runAll(page);
      expectRewritten(await looks());
      await expectFigures(page, 1);
      await expectControls(page);
      await expectAccessible(page);
    }));

  it("runs 05: its figures are drawn", () =>
    withNotebook("05-ablations", async (page) => {
      await runAll(page);
      await expectFigures(page, 3);
      await expectAccessible(page);
    }));
});
