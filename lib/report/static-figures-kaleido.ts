/**
 * Plotly figures as SVG or PNG without a system browser: kaleido 0.2.1, a pip wheel of the project's `.venv`, carries
 * its own. It reads one JSON request a line and answers one JSON line each.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import * as path from "node:path";
import * as readline from "node:readline";
import { pathToFileURL } from "node:url";
import { repositoryRoot } from "../util/root";
import type { Figure } from "./figures-theme";

/** Seconds one answer may take, by attempt: on a busy machine kaleido 0.2.1 now and then hangs while it starts. */
const PATIENCE = [20, 40, 80];

function kaleidoFolder(root: string): string {
  const lib = path.join(root, ".venv", "lib");
  for (const python of existsSync(lib) ? readdirSync(lib).sort() : []) {
    const folder = path.join(lib, python, "site-packages", "kaleido", "executable");
    if (existsSync(path.join(folder, "bin", "kaleido"))) return folder;
  }
  throw new Error("kaleido, which draws the static figures, is not in .venv; `npm start` sets it up");
}

/** Where kaleido finds plotly: an address of ASCII alone, for a path with other letters is none to it. */
export const plotlyAddress = (root: string): string =>
  pathToFileURL(path.join(root, "node_modules", "plotly.js-dist-min", "plotly.min.js")).href;

/**
 * The same SVG for the same figure: the random ids plotly gives to clip paths are replaced by a fixed one, and
 * attributes sorted (a browser's first drawing writes some in another order than its later ones).
 */
export function canonicalSvg(svg: string): string {
  const id = /id="defs-([0-9a-f]+)"/.exec(svg)?.[1];
  // Only after a letter or a hyphen: the digits of an id may well occur in a coordinate or a colour.
  const fixed = id === undefined ? svg : svg.replace(new RegExp(`(?<=[A-Za-z-])${id}(?![0-9a-f]{6})`, "g"), "0");
  return fixed.replace(
    /<([A-Za-z]+)((?:\s+[\w:-]+="[^"]*")+)\s*(\/?)>/g,
    (_, tag: string, attributes: string, slash: string) => {
      const sorted = (attributes.match(/[\w:-]+="[^"]*"/g) ?? []).sort();
      return `<${tag} ${sorted.join(" ")}${slash}>`;
    },
  );
}

/** Traces get uids in order: plotly would draw random ones. */
function withUids(figure: Figure): Figure {
  return { ...figure, data: figure.data.map((trace, i) => ({ uid: `t${i}`, ...trace })) };
}

class Hung extends Error {}

/** What kaleido draws, with the start of its answer: SVG text, or a PNG in base64. */
const STARTS = { svg: "<svg", png: "iVBOR" } as const;
type Format = keyof typeof STARTS;

/** One browser, all figures. Rejects with `Hung` where an answer takes longer than `seconds`. */
async function renderOnce(figures: readonly Figure[], format: Format, seconds: number): Promise<string[]> {
  const root = repositoryRoot();
  const folder = kaleidoFolder(root);
  // Not kaleido's own shell script: that one breaks where the repository's path has a space.
  const child = spawn(
    path.join(folder, "bin", "kaleido"),
    [
      "plotly",
      `--plotlyjs=${plotlyAddress(root)}`,
      "--disable-gpu",
      "--allow-file-access-from-files",
      "--disable-breakpad",
      "--disable-dev-shm-usage",
      "--no-sandbox",
    ],
    {
      cwd: folder,
      detached: true, // its own process group, so that the browser's helpers end with it
      stdio: ["pipe", "pipe", "pipe"],
      env: {
        ...process.env,
        LD_PRELOAD: undefined,
        LD_LIBRARY_PATH: `${path.join(folder, "lib")}:${process.env.LD_LIBRARY_PATH ?? ""}`,
        FONTCONFIG_PATH: path.join(folder, "etc", "fonts"),
        XDG_DATA_HOME: path.join(folder, "xdg"),
      },
    },
  );
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2000)));
  child.stdin.on("error", () => undefined); // a child that died is reported through its missing answer
  const failed = new Promise<never>((_, reject) =>
    child.on("error", (error) => reject(new Error(`kaleido does not start: ${error.message}`))),
  );
  failed.catch(() => undefined);
  const answers = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (what: string): Promise<string | null> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Hung(`kaleido gave no answer in ${seconds} s while ${what}`)),
        1000 * seconds,
      );
    });
    const line = await Promise.race([answers.next(), failed, late]).finally(() => clearTimeout(timer));
    if (line.done) throw new Error(`kaleido stopped while ${what}: ${errors.trim().split("\n").pop() ?? ""}`);
    const reply = JSON.parse(line.value) as { code: number; message: string | null; result: string | null };
    if (reply.code !== 0) throw new Error(`kaleido, while ${what}: ${reply.message}`);
    return reply.result;
  };
  try {
    await answer("starting");
    const drawn: string[] = [];
    for (const [i, figure] of figures.entries()) {
      const { width = 700, height = 500 } = figure.layout as { width?: number; height?: number };
      child.stdin.write(`${JSON.stringify({ format, width, height, scale: 1, data: withUids(figure) })}\n`);
      const result = await answer(`drawing figure ${i + 1} of ${figures.length}`);
      if (!result?.startsWith(STARTS[format]))
        throw new Error(`kaleido gave no ${format} for figure ${i + 1} of ${figures.length}`);
      drawn.push(result);
    }
    return drawn;
  } finally {
    child.stdin.end();
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // it has ended by itself
    }
  }
}

/** A browser that hangs is ended and started again, three times in all. */
async function render(figures: readonly Figure[], format: Format): Promise<string[]> {
  if (figures.length === 0) return [];
  for (let attempt = 0; ; attempt++) {
    try {
      return await renderOnce(figures, format, PATIENCE[attempt]);
    } catch (error) {
      if (!(error instanceof Hung) || attempt === PATIENCE.length - 1) throw error;
    }
  }
}

/**
 * The figures as SVG text; the size is their layout's `width` and `height` (700 x 500 where it has none).
 * @throws {Error} where kaleido is missing, or refuses a figure, or hangs each time
 */
export async function renderSvg(figures: readonly Figure[]): Promise<string[]> {
  return (await render(figures, "svg")).map(canonicalSvg);
}

/** The same as PNG bytes, one pixel for each of the layout's. */
export async function renderPng(figures: readonly Figure[]): Promise<Buffer[]> {
  return (await render(figures, "png")).map((base64) => Buffer.from(base64, "base64"));
}
