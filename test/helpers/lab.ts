/** JupyterLab of this clone in a browser. Notebooks are copies in the folder of a run: the clone stays as it is. */
import * as fs from "node:fs";
import * as path from "node:path";
import type { Page } from "playwright-core";
import { root } from "../../tools/environment";
import { launchChromium } from "./chromium";
import { startLabServer } from "./lab-server";
import { watchPage } from "./watched-page";

/** Pixels. */
const VIEWPORT = { width: 1400, height: 1000 };

export interface Lab {
  /**
   * Opens a page of the server, such as `/lab`, for what is done with it. Its picture is kept as NAME.png, also where
   * that fails; kernels end with it.
   *
   * @throws {Error} what `work` throws, or what went wrong in the page: errors of scripts, requests to other machines
   */
  use(name: string, address: string, work: (page: Page) => Promise<void>): Promise<void>;
  /** Puts a notebook into the run's folder, outputs removed, and gives the address that shows it. */
  addNotebook(name: string, cells: readonly Cell[]): string;
  /** Ends browser and server and removes the run's folder. */
  close(): Promise<void>;
}

export interface Cell {
  cell_type: string;
  source: string | string[];
}

/** The cells of a notebook in notebooks/, by its name without suffix. */
export function cellsOf(name: string): Cell[] {
  const text = fs.readFileSync(path.join(root, "notebooks", `${name}.ipynb`), "utf8");
  return (JSON.parse(text) as { cells: Cell[] }).cells;
}

const SPEC = { name: "tslab-fine-r1", display_name: "TypeScript (Fine-R1)", language: "typescript" };

const notebookJson = (cells: readonly Cell[]): string =>
  JSON.stringify({
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: SPEC },
    cells: cells.map(({ cell_type, source }, i) => ({
      id: `cell-${i}`,
      cell_type,
      source,
      metadata: {},
      ...(cell_type === "code" ? { outputs: [], execution_count: null } : {}),
    })),
  });

/** Kernels at `smoke` scale in the run `run`, which behave as they do outside of tests; nothing in the home folder. */
function environmentOf(folder: string, run: string): NodeJS.ProcessEnv {
  const jupyter = (name: string): string => path.join(folder, "jupyter", name);
  return {
    VITEST: undefined,
    FINE_R1_SCALE: "smoke",
    FINE_R1_RUN: run,
    FINE_R1_SET: undefined,
    JUPYTER_CONFIG_DIR: jupyter("config"),
    JUPYTER_DATA_DIR: jupyter("data"),
    JUPYTERLAB_SETTINGS_DIR: jupyter("settings"),
    JUPYTERLAB_WORKSPACES_DIR: jupyter("workspaces"),
  };
}

/**
 * Starts a server and a browser; both are one for all tests of a file.
 *
 * @param run its folder in data/runs is made anew and removed at the end
 */
export async function startLab(run: string): Promise<Lab> {
  const folder = path.join(root, "data/runs", run);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(path.join(folder, "notebooks"), { recursive: true });
  const server = await startLabServer(environmentOf(folder, run));
  const browser = await launchChromium();
  const context = await browser.newContext({ viewport: VIEWPORT });
  const request = async (method: string, address: string): Promise<unknown> => {
    const headers = { Authorization: `token ${server.token}` };
    const response = await fetch(`${server.origin}${address}`, { method, headers });
    return response.status === 204 ? null : await response.json();
  };
  const endKernels = async (): Promise<void> => {
    const sessions = (await request("GET", "/api/sessions")) as { id: string }[];
    await Promise.all(sessions.map(({ id }) => request("DELETE", `/api/sessions/${id}`)));
  };
  return {
    async use(name, address, work) {
      const { page, problems, picture } = watchPage(await context.newPage());
      try {
        await page.goto(`${server.origin}${address}?reset&token=${server.token}`);
        await work(page);
      } finally {
        await picture(name);
        await page.close();
        await endKernels();
      }
      if (problems().length > 0) throw new Error(`${name}:\n${problems().join("\n")}`);
    },
    addNotebook(name, cells) {
      const file = path.join(folder, "notebooks", `${name}.ipynb`);
      fs.writeFileSync(file, notebookJson(cells));
      return `/lab/tree/${path.relative(root, file)}`;
    },
    async close() {
      await browser.close();
      await server.stop();
      fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
