/**
 * The real site in a browser: every page opened from its file, in light and dark, wide and narrow. Asked for with
 * FINE_R1_BROWSER=1 (vitest.config.mts). Screenshots are kept in .setup/screenshots/.
 */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../../tools/environment";
import { buildSite } from "../../tools/pages/build";
import { findChromium, launchChromium } from "../helpers/chromium";

const SCREENSHOTS = path.join(root, ".setup/screenshots");
const MINUTES = 60_000;

if (findChromium() === null) console.log("site in a browser: skipped, no Chromium here (FINE_R1_CHROMIUM names one)");

describe.skipIf(findChromium() === null)("the site in a browser", { timeout: 30 * MINUTES }, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-browser-"));
  const site = path.join(folder, "site");
  let pages: string[] = [];
  let browser: Browser;

  beforeAll(async () => {
    pages = [...buildSite({ root, out: site }).pages.keys()];
    fs.mkdirSync(SCREENSHOTS, { recursive: true });
    browser = await launchChromium();
  }, 10 * MINUTES);
  afterAll(async () => {
    await browser?.close();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  /** Waits until an expression is true. (Playwright's own waiting evaluates text, which the page's policy forbids.) */
  const eventually = (page: Page, expression: string): Promise<void> =>
    expect
      .poll(() => page.evaluate(expression), { timeout: 2 * MINUTES, interval: 100, message: expression })
      .toBe(true);

  /** Opens a page and waits for its figures; `said` grows by errors and by requests that leave the machine's files. */
  async function open(name: string, said: string[]): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1400, height: 900 } }); // axe wants one
    const page = await context.newPage();
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) said.push(`${message.type()}: ${message.text()}`);
    });
    page.on("pageerror", (error) => said.push(`page error: ${error.message}`));
    page.on("request", (request) => {
      if (!/^(?:file|data|blob):/.test(request.url())) said.push(`request: ${request.url()}`);
    });
    await page.goto(pathToFileURL(path.join(site, name)).href);
    await eventually(
      page,
      `[...document.querySelectorAll(".plotly-figure")].every((figure) => figure.querySelector(".plotly .main-svg"))`,
    );
    return page;
  }

  /**
   * Where axe looks, which takes seconds for each. Documents come from one template and style sheet: three stand for
   * all; of the notebooks two are looked at in both schemes, the others in one each.
   */
  function schemesOf(name: string): readonly ("light" | "dark")[] {
    if (["index.html", "README.html", "docs/results.html"].includes(name)) return ["light", "dark"];
    const number = /^notebooks\/(\d+)-/.exec(name)?.[1];
    if (number === undefined) return [];
    if (["03", "08"].includes(number)) return ["light", "dark"];
    return [Number(number) % 2 === 0 ? "light" : "dark"];
  }

  const overflow = (page: Page): Promise<number> =>
    page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");

  it("has no error, no request but for its files, no violation, no overflow on any page", async () => {
    expect(pages.length).toBeGreaterThan(20);
    const problems: string[] = [];
    for (const name of pages) {
      const said: string[] = [];
      const page = await open(name, said);
      const stem = path.join(SCREENSHOTS, name.replace(/\//g, "_").replace(/\.html$/, ""));
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await page.screenshot({ path: `${stem}-${colorScheme}.png`, fullPage: name === "index.html" });
      }
      for (const width of [800, 1400]) {
        await page.setViewportSize({ width, height: 900 });
        await page.waitForTimeout(200);
        const beyond = await overflow(page);
        if (beyond > 0) problems.push(`${name}: ${beyond} pixels too wide at ${width}`);
        if (width === 800) await page.screenshot({ path: `${stem}-800.png` });
      }
      problems.push(...said.map((text) => `${name}: ${text}`));
      for (const colorScheme of schemesOf(name)) {
        await page.emulateMedia({ colorScheme });
        // axe would fetch the style sheets itself, which the page's policy forbids
        const { violations } = await new AxeBuilder({ page }).options({ preload: false }).analyze();
        for (const { id, impact, nodes } of violations) {
          if (impact === "serious" || impact === "critical")
            problems.push(`${name}, ${colorScheme}: ${impact} ${id}: ${nodes[0].html.slice(0, 200)}`);
        }
      }
      await page.context().close();
    }
    expect(problems).toEqual([]);
  });

  it("draws figures that fill the page from 700 to 1,800 pixels, and hides their images", async () => {
    const page = await open("notebooks/03-tapo.html", []);
    await page.evaluate("window.width = (selector) => document.querySelector(selector).getBoundingClientRect().width");
    for (const width of [700, 1000, 1800]) {
      await page.setViewportSize({ width, height: 900 });
      await eventually(page, `Math.abs(width(".content") - width(".plotly-figure .main-svg")) <= 4`);
    }
    expect(await page.locator(".plotly-figure > img").isVisible()).toBe(false);
    await page.close();
  });

  it("shows a figure's image where scripts are off", async () => {
    const page = await browser.newPage({ javaScriptEnabled: false });
    await page.goto(pathToFileURL(path.join(site, "notebooks/03-tapo.html")).href);
    expect(await page.locator(".plotly-figure > img").isVisible()).toBe(true);
    await page.close();
  });

  it("has a rollout viewer whose controls colour and filter, from the keyboard too", async () => {
    const page = await open("notebooks/03-tapo.html", []);
    const viewer = page.locator('[aria-label="Rollouts of one group"]').last(); // the one scored under both images
    const colours = (): Promise<string[]> =>
      viewer.locator(".r .t").evaluateAll((tokens) => tokens.map((token) => String(getStyle(token))));
    const shown = (): Promise<number> => viewer.locator(".r:visible").count();
    await page.evaluate("window.getStyle = (element) => getComputedStyle(element).backgroundColor");
    const before = await colours();
    const all = await shown();
    await viewer.locator("label", { hasText: /^log-prob$/ }).click();
    expect(await colours()).not.toEqual(before);
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    expect(await colours()).toEqual(before);
    await viewer.locator("label", { hasText: /^wrong$/ }).click();
    const wrong = await shown();
    await viewer.locator("label", { hasText: /^right$/ }).click();
    expect((await shown()) + wrong).toBe(all);
    await page.close();
  });

  it("goes to the content and on to the next page by links", async () => {
    const page = await open("index.html", []);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.id")).toBe("site-main");
    await page.locator('a[rel="next"]').click();
    expect(page.url()).toMatch(/README\.html$/);
    await page.close();
  });
});

declare function getStyle(element: unknown): string;
