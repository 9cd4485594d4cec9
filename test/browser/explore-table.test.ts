import * as path from "node:path";
import AxeBuilder from "@axe-core/playwright";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { renderExploreTable } from "../../lib/report/explore-table";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { findChromium, launchChromium } from "../helpers/chromium";
import { quadrants } from "../helpers/quadrants";

const rows = [
  { name: "seed 10", split: "seen", accuracy: 1 / 3, p: "<0.001" },
  { name: "seed 9", split: "unseen", accuracy: 1 / 3 + 1e-5, p: "0.5" },
  { name: "Ärger", split: "seen", accuracy: null, p: "-" },
  { name: "alpha", split: "unseen", accuracy: 10, p: "0.02" },
];
const others = [{ name: "zebra" }, { name: "ant" }];
const folder = temporaryFolder();

/** What JupyterLab's themes set. */
const LAB = {
  light: "body { --jp-layout-color0: #fff; background: #fff; color: rgba(0, 0, 0, 0.87); }",
  dark: `body { --jp-layout-color0: #111; --jp-layout-color1: #212121; --jp-ui-font-color1: #fff; --jp-content-font-color1: #fff;
    background: #111; color: rgba(255, 255, 255, 0.87); }`,
};

describe.skipIf(findChromium() === null)("a table to explore, in Chromium", () => {
  let browser: Browser;
  let page: Page;
  let html: string;
  const errors: string[] = [];

  beforeAll(async () => {
    const file = path.join(folder, "a.png");
    await quadrants(64, 64).toFile(file);
    const tables = [
      await renderExploreTable(rows, { image: ({ name }) => (name === "alpha" ? file : null) }),
      await renderExploreTable(others),
    ];
    html = `<!doctype html><html lang="en"><title>t</title><main><h1>t</h1>${tables.map((one) => one.html).join("\n")}</main></html>`;
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    await page?.close();
    errors.length = 0;
    page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(5000);
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("request", (request) => void (request.url().startsWith("data:") || errors.push(request.url())));
    await page.setContent(html);
  });

  const table = (i = 0): Locator => page.locator(".explore-table").nth(i);
  /** Texts of a column, by rows. */
  const column = (c: number, i = 0): Promise<string[]> =>
    table(i)
      .locator(`tbody tr td:nth-child(${c + 1})`)
      .allTextContents();
  const head = (name: string, i = 0): Locator => table(i).getByRole("columnheader", { name, exact: true });
  const [NAME, ACCURACY] = [1, 3];
  const select = async (label: string, value: string): Promise<void> =>
    void (await table().getByLabel(label, { exact: true }).selectOption(value));
  const status = (i = 0): Promise<string | null> => table(i).getByRole("status").textContent();

  it("sorts numbers by what they are and text as people do, gaps last, and back", async () => {
    const sort = async (name: string): Promise<void> => head(name).getByRole("button").click();
    await sort("accuracy");
    expect(await column(NAME)).toEqual(["seed 10", "seed 9", "alpha", "Ärger"]);
    expect(await head("accuracy").getAttribute("aria-sort")).toBe("ascending");
    await sort("accuracy");
    expect(await column(NAME)).toEqual(["alpha", "seed 9", "seed 10", "Ärger"]);
    expect(await head("accuracy").getAttribute("aria-sort")).toBe("descending");
    await sort("accuracy");
    expect(await column(NAME)).toEqual(rows.map(({ name }) => name));
    expect(await head("accuracy").getAttribute("aria-sort")).toBe("none");
    await sort("p");
    expect(await column(NAME)).toEqual(["seed 10", "alpha", "seed 9", "Ärger"]);
    await sort("name");
    expect(await column(NAME)).toEqual(["alpha", "Ärger", "seed 9", "seed 10"]);
    expect(await head("p").getAttribute("aria-sort")).toBe("none");
  });

  it("sorts by the keyboard, and keeps the focus", async () => {
    await head("name").getByRole("button").focus();
    await page.keyboard.press("Enter");
    expect((await column(NAME))[0]).toBe("alpha");
    await page.keyboard.press("Space");
    expect((await column(NAME))[0]).toBe("seed 10");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("name");
  });

  it("filters by text over all columns and by a column's value, and says how many are left", async () => {
    expect(await status()).toBe("4 of 4 rows");
    await table().getByLabel("Filter").fill(" SEED ");
    expect(await column(NAME)).toEqual(["seed 10", "seed 9"]);
    await select("split", "○\u00a0unseen");
    expect(await column(NAME)).toEqual(["seed 9"]);
    expect(await status()).toBe("1 of 4 rows");
    await table().getByLabel("Filter").fill("nothing like it");
    expect(await column(NAME)).toEqual([]);
    await table().getByLabel("Filter").fill("");
    await select("split", "all");
    expect(await column(NAME)).toEqual(rows.map(({ name }) => name));
  });

  it("groups: count and means, of what the filter leaves; opened by the keyboard", async () => {
    await select("Group by", "split");
    expect(await column(2)).toEqual(["●\u00a0seen: 2 rows", "○\u00a0unseen: 2 rows"]);
    expect(await column(ACCURACY)).toEqual(["0.333", "5.167"]); // (1/3 + 1e-5 + 10) / 2; the gap does not count
    expect(await status()).toBe("4 of 4 rows, 2 groups with means");
    await head("accuracy").getByRole("button").click();
    await head("accuracy").getByRole("button").click();
    expect(await column(ACCURACY)).toEqual(["5.167", "0.333"]);
    const opener = table().getByRole("button", { name: "unseen: 2 rows" });
    await opener.focus();
    await page.keyboard.press("Enter");
    expect(await column(NAME)).toEqual(["", "alpha", "seed 9", ""]);
    expect(await opener.getAttribute("aria-expanded")).toBe("true");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("○\u00a0unseen: 2 rows");
    await table().getByLabel("Filter").fill("alpha");
    expect(await column(ACCURACY)).toEqual(["10.000", "10.000"]);
    await select("Group by", "nothing");
    expect(await column(NAME)).toEqual(["alpha"]);
  });

  it("opens a row's image by the keyboard", async () => {
    const image = table().getByRole("img", { name: "a.png" });
    expect((await image.boundingBox())!.width).toBe(48);
    await table().locator("summary").focus();
    await page.keyboard.press("Enter");
    expect((await image.boundingBox())!.width).toBe(144);
  });

  it("leaves the other table of the page alone, and makes no controls twice", async () => {
    await head("name", 1).getByRole("button").click();
    await table().getByLabel("Filter").fill("alpha");
    expect(await column(0, 1)).toEqual(["ant", "zebra"]);
    expect(await column(NAME)).toEqual(["alpha"]);
    const globals = `Object.keys(window).length`;
    const before = await page.evaluate(globals);
    await page.evaluate(
      "for (const s of document.querySelectorAll('script')) { const c = document.createElement('script'); c.textContent = s.textContent; s.replaceWith(c); }",
    );
    expect(await table().getByLabel("Filter").count()).toBe(1);
    expect(await page.evaluate(globals)).toBe(before);
    expect(errors).toEqual([]);
  });

  it.each(["light", "dark"] as const)("has no serious finding of axe, %s", async (theme) => {
    await page.addStyleTag({ content: LAB[theme] });
    await select("Group by", "split");
    await table().getByRole("button", { name: "unseen: 2 rows" }).click();
    const { violations } = await new AxeBuilder({ page }).analyze();
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).join(" ")}`)).toEqual([]);
  });

  it("is a plain, whole table where scripts do not run", async () => {
    const plain = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
    await plain.setContent(html);
    const first = plain.locator(".explore-table").first();
    expect(await first.locator("tbody tr").count()).toBe(4);
    expect(await first.locator("input, select, button").count()).toBe(0);
    await plain.close();
  });
});
