/** Single cells in JupyterLab: stop, commands, completion, documentation; the launcher and the table of contents. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findChromium } from "../helpers/chromium";
import { cellsOf, startLab, type Lab } from "../helpers/lab";
import {
  codeCells,
  edit,
  imageWidths,
  kernelIdle,
  outputText,
  runCell,
  waitForNumber,
  watchOutputs,
} from "../helpers/notebook-page";

/** Only has to catch what hangs, also on a busy machine. */
const LIMIT_MS = 240_000;

const STEPS = 24;

/** A training of some 20 s, and what shows that an interrupt leaves what was declared. */
const TRAINING = [
  'import { disposeTree, loadSettings, openExperiment, rlModel, watched } from "./lib";\n' +
    `const experiment = await openExperiment(loadSettings({ set: ["start=base", "rl.steps=${STEPS}"] }));`,
  "const before = 41;\n" +
    'const { params, log } = await rlModel(experiment, "cls-rl", watched("CLS-RL"));\n' +
    "disposeTree(params);\n" +
    "log.length",
  "before + 1",
];

const code = (source: string) => ({ cell_type: "code", source });

describe.skipIf(findChromium() === null)("cells in JupyterLab", { timeout: LIMIT_MS }, () => {
  let lab: Lab;
  beforeAll(async () => void (lab = await startLab("browser-cells")));
  afterAll(() => lab.close());

  const withCells = (name: string, sources: readonly string[], use: (page: Page) => Promise<void>): Promise<void> =>
    lab.use(name, lab.addNotebook(name, sources.map(code)), async (page) => {
      await kernelIdle(page);
      await use(page);
    });

  /** Steps done, as the cell's progress says; 0 before it says anything. */
  const stepsDone = async (page: Page, i: number): Promise<number> =>
    Number(new RegExp(`(\\d+)/${STEPS} `).exec(await outputText(page, i))?.[1] ?? 0);

  it("has controls that answer: a button, and a question about an image that streams its answer", () =>
    withCells(
      "controls",
      [
        'import { button, column, html, showWidget } from "./lib";\n' +
          'const [press, said] = [button("Press"), html("")];\n' +
          "let times = 0;\npress.onClick(() => said.set(`pressed ${++times} times`));\n" +
          'showWidget(column(press, said), { "text/plain": "a button" });',
        'import { loadSettings, openExperiment, showAsk } from "./lib";\n' +
          'const form = await showAsk(await openExperiment(loadSettings()), { method: "base-cot" });',
      ],
      async (page) => {
        await runCell(page, 0);
        await waitForNumber(page, 0);
        const press = codeCells(page).nth(0).locator("button", { hasText: "Press" });
        await press.click();
        await codeCells(page).nth(0).getByText("pressed 1 times").waitFor();
        await press.focus();
        await page.keyboard.press("Enter");
        await codeCells(page).nth(0).getByText("pressed 2 times").waitFor();

        await runCell(page, 1);
        await waitForNumber(page, 1);
        const form = codeCells(page).nth(1);
        const ask = form.locator("button", { hasText: /^Ask$/ });
        const before = await outputText(page, 1);
        await ask.click();
        await expect.poll(() => outputText(page, 1), { timeout: 60_000 }).not.toBe(before);
        await expect.poll(() => outputText(page, 1), { timeout: 60_000 }).toMatch(/<think>[^]*<answer>/);
      },
    ));

  it("stops a training at once, keeps what it declared, and goes on from its checkpoint", () =>
    withCells("stop", TRAINING, async (page) => {
      await runCell(page, 0);
      await waitForNumber(page, 0);
      await runCell(page, 1);
      await expect.poll(() => stepsDone(page, 1), { timeout: 120_000 }).toBeGreaterThanOrEqual(4);
      const begun = Date.now();
      await page.locator('jp-button[data-command="notebook:interrupt-kernel"]').click();
      await waitForNumber(page, 1);
      const milliseconds = Date.now() - begun;
      const done = await stepsDone(page, 1);
      expect(await outputText(page, 1)).toContain("KeyboardInterrupt");
      expect(done).toBeLessThan(STEPS);

      const asked = Date.now();
      await runCell(page, 2);
      await waitForNumber(page, 2);
      const nothing = Date.now() - asked; // what JupyterLab takes by itself, which is seconds on a busy machine
      expect(await outputText(page, 2)).toBe("42");
      expect(milliseconds, `a cell with nothing to do: ${nothing} ms`).toBeLessThan(1500 + 2 * nothing);

      await runCell(page, 1);
      const first = await expect
        .poll(() => stepsDone(page, 1), { timeout: 120_000, interval: 20 })
        .toBeGreaterThan(0)
        .then(() => stepsDone(page, 1));
      expect(first).toBeGreaterThanOrEqual(done - 1);
      await waitForNumber(page, 1);
      expect((await outputText(page, 1)).trim()).toMatch(new RegExp(`\\n${STEPS}$`));
    }));

  it("shows what a command prints before it has ended", () =>
    withCells("command", ['import { fineR1 } from "./lib";\nawait fineR1("doctor");'], async (page) => {
      const looks = await watchOutputs(codeCells(page).nth(0));
      await runCell(page, 0);
      await waitForNumber(page, 0);
      const whole = (await outputText(page, 0)).trim();
      expect(whole).toMatch(/^\$ npm run -s fine-r1 -- doctor\n./);
      const before = (await looks()).map((texts) => texts.join("\n").trim()).filter((text) => text !== "");
      expect(before.length, whole).toBeGreaterThan(1);
      expect(whole.startsWith(before[0])).toBe(true);
      expect(whole.length).toBeGreaterThan(before[0].length);
    }));

  it("completes names of settings, and shows signature and docstring", () =>
    withCells("completion", ['import { loadSettings } from "./lib";', ""], async (page) => {
      await runCell(page, 0);
      await waitForNumber(page, 0);
      await edit(page, 1);
      await page.keyboard.type("loadSettings({ s");
      await page.keyboard.press("Tab");
      const names = page.locator(".jp-Completer .jp-Completer-match");
      await names.first().waitFor();
      expect(await names.allTextContents()).toEqual(expect.arrayContaining(["scale", "set"]));
      await page.keyboard.press("Escape");
      await page.keyboard.press("Control+A");
      await page.keyboard.type("loadSettings(");
      await page.keyboard.press("Shift+Tab");
      const tooltip = page.locator(".jp-Tooltip");
      await tooltip.waitFor();
      const text = await tooltip.innerText();
      expect(text).toMatch(/loadSettings\(.*SettingsSource.*\): Settings/s);
      expect(text).toContain("FINE_R1_SET");
    }));

  it("lists the kernel with its logo in the launcher", () =>
    lab.use("launcher", "/lab", async (page) => {
      const tile = page.locator('.jp-LauncherCard[data-category="Notebook"]', { hasText: "TypeScript (Fine-R1)" });
      const logo = tile.locator("img");
      await logo.waitFor();
      expect(await logo.getAttribute("src")).toMatch(/\/kernelspecs\/tslab-fine-r1\/logo-svg\.svg$/);
      await expect.poll(async () => (await imageWidths(logo))[0]).toBeGreaterThan(0);
    }));

  it("lists the tour's headings in order in the table of contents", () => {
    const cells = cellsOf("00-tour");
    const headings = cells
      .filter(({ cell_type }) => cell_type === "markdown")
      .flatMap(({ source }) =>
        [
          ...[source]
            .flat()
            .join("")
            .matchAll(/^#+ (.+)$/gm),
        ].map(([, title]) => title),
      );
    return lab.use("contents", lab.addNotebook("contents", cells), async (page) => {
      await kernelIdle(page);
      await page.locator('.lm-TabBar-tab[data-id="table-of-contents"]').click();
      const items = page.locator(".jp-TableOfContents-tree .jp-tocItem-content");
      await items.nth(headings.length - 1).waitFor();
      expect(await items.allTextContents()).toEqual(headings);
    });
  });
});
