/** A notebook in JupyterLab as a reader uses it: menus, keys, and what its cells show. */
import type { Locator, Page } from "playwright-core";

const IDLE = '.jp-Notebook-ExecutionIndicator[data-status="idle"]';

/** Waits until the notebook is drawn and its kernel has nothing to do. */
export async function kernelIdle(page: Page, timeout = 120_000): Promise<void> {
  await page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").first().waitFor({ timeout });
  await page.locator("#jp-main-statusbar").getByText("TypeScript (Fine-R1) | Idle").waitFor({ timeout });
}

/** Chooses an entry of the menu bar: `menu(page, "Run", "Run All Cells")`. */
export async function menu(page: Page, ...labels: readonly string[]): Promise<void> {
  const [bar, ...entries] = labels;
  await page.locator(".lm-MenuBar-item", { hasText: new RegExp(`^${bar}$`) }).click();
  for (const [i, label] of entries.entries()) {
    const entry = page.locator(".lm-Menu").nth(i).locator(".lm-Menu-itemLabel").getByText(label, { exact: true });
    await entry.click();
  }
}

/** Code cells of the open notebook, in order. */
export const codeCells = (page: Page): Locator => page.locator(".jp-Notebook .jp-CodeCell");

/** What stands beside each code cell: `[3]:`, `[*]:` while it waits or runs, `[ ]:` before. */
export const prompts = (page: Page): Promise<string[]> =>
  page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").allTextContents();

/** What cells failed with. */
export const errors = (page: Page): Promise<string[]> =>
  page.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]').allTextContents();

/**
 * Waits until no cell waits or runs.
 *
 * @throws {Error} when a cell failed; its trace is in the message
 */
export async function allRun(page: Page, timeout: number): Promise<void> {
  const begun = Date.now();
  for (;;) {
    const failed = await errors(page);
    if (failed.length > 0) throw new Error(`a cell failed:\n${failed.join("\n")}`);
    const beside = await prompts(page);
    if (beside.every((text) => /^\[\d+\]:$/.test(text)) && (await page.locator(IDLE).count()) > 0) return;
    if (Date.now() - begun > timeout) throw new Error(`cells still run after ${timeout} ms: ${beside.join(" ")}`);
    await page.waitForTimeout(200);
  }
}

/** The cell under number `i` gets the focus, its editor the cursor at the end. */
export async function edit(page: Page, i: number): Promise<void> {
  await codeCells(page).nth(i).locator(".cm-content").click();
  await page.keyboard.press("Control+End");
}

/** Runs the cell under number `i` and goes to the next, as Shift-Enter does. */
export async function runCell(page: Page, i: number): Promise<void> {
  await edit(page, i);
  await page.keyboard.press("Shift+Enter");
}

/** Waits until what stands beside cell `i` is a number: it has ended, in whatever way. */
export async function waitForNumber(page: Page, i: number, timeout = 120_000): Promise<void> {
  const beside = codeCells(page).nth(i).locator(".jp-InputPrompt");
  await beside.filter({ hasText: /^\[\d+\]:$/ }).waitFor({ timeout });
}

/** What cell `i` shows, as text. */
export const outputText = async (page: Page, i: number): Promise<string> =>
  (await codeCells(page).nth(i).locator(".jp-OutputArea-output").allTextContents()).join("\n");

/** What the page's own global has, in a test's types. */
interface Observing {
  MutationObserver: new (callback: () => void) => { observe(node: unknown, what: Record<string, boolean>): void };
}

/**
 * From now on keeps every different look of a cell's outputs, each a list of their texts.
 * @returns a function that gives what was kept
 */
export async function watchOutputs(cell: Locator): Promise<() => Promise<string[][]>> {
  const looks = await cell.evaluateHandle((node) => {
    const { MutationObserver } = globalThis as unknown as Observing;
    const kept: string[][] = [];
    const look = (): void => {
      const texts = [...node.querySelectorAll(".jp-OutputArea-output")].map((output) => output.textContent ?? "");
      if (JSON.stringify(texts) !== JSON.stringify(kept.at(-1))) kept.push(texts);
    };
    new MutationObserver(look).observe(node, { childList: true, subtree: true, characterData: true });
    return kept;
  });
  return () => looks.evaluate((kept) => kept);
}

/** Pixels across of each image, as its file says; 0 where it could not be shown. */
export const imageWidths = (images: Locator): Promise<number[]> =>
  images.evaluateAll((all) => all.map((image) => (image as unknown as { naturalWidth: number }).naturalWidth));

/** Background colour of each element, as it is drawn. */
export const backgroundColours = (elements: Locator): Promise<string[]> =>
  elements.evaluateAll((all) => {
    type Style = { backgroundColor: string };
    const { getComputedStyle } = globalThis as unknown as { getComputedStyle(element: unknown): Style };
    return all.map((element) => getComputedStyle(element).backgroundColor);
  });
