/** `ablations`: variants of the shipped experiment, over seeds, and their table and figures. */
import * as path from "node:path";
import { parseArgs } from "node:util";
import { chooseVariants, FAMILIES, type Variant } from "../lib/experiment/ablations/variants";
import { formatDuration, progressSeries } from "../lib/report/progress";
import { toMarkdown } from "../lib/report/tables";
import { loadSettings } from "../lib/experiment/settings";

const USAGE =
  "npm run -s fine-r1 -- ablations [--only NAME,…] [--seeds 0,1,2] [--role dev|test] [--scale NAME] [--run NAME] [--list] [--table]";

function parseSeeds(text: string): number[] {
  const seeds = text.split(",").map((part) => (/^\d{1,9}$/.test(part.trim()) ? Number(part) : NaN));
  if (seeds.some(Number.isNaN) || new Set(seeds).size !== seeds.length)
    throw new Error(
      `--seeds is ${JSON.stringify(text)}; expected different whole numbers, separated by commas; ${USAGE}`,
    );
  return seeds;
}

function list(variants: readonly Variant[]): string {
  const width = Math.max(...variants.map(({ name }) => name.length));
  return [
    "Variants:",
    ...variants.map(
      ({ name, method, set }) => `  ${name.padEnd(width)}  ${method}${set.length > 0 ? `, ${set.join(", ")}` : ""}`,
    ),
    "Families:",
    ...FAMILIES.map(
      ({ name, title, members }) =>
        `  ${name.padEnd(width)}  ${title}: ${members.map(({ variant }) => variant).join(", ")}`,
    ),
  ].join("\n");
}

/**
 * Trains and asks what is not yet on disk, then prints the table of all that is, and writes it with figures: to `figures/` for the
 * run `main`, to `data/runs/<run>/figures` for another. `--table` only does the latter. @returns exit code
 */
export async function run(args: string[]): Promise<number> {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args,
    options: { only: text, seeds: text, role: text, scale: text, run: text, list: flag, table: flag },
  });
  const settings = loadSettings({ scale: values.scale, run: values.run });
  const variants = chooseVariants(
    settings,
    values.only
      ?.split(",")
      .map((name) => name.trim())
      .filter((name) => name !== ""),
  );
  if (values.list) {
    console.log(list(variants));
    return 0;
  }
  const role = values.role ?? "dev";
  if (role !== "dev" && role !== "test")
    throw new Error(`--role is ${JSON.stringify(role)}; expected dev or test; ${USAGE}`);
  const seeds = values.seeds === undefined ? [settings.seed] : parseSeeds(values.seeds);
  const { printedAblations, publishAblations, runSweep } = await import("../lib/experiment/ablations"); // loads TensorFlow: not for a list
  if (!values.table) {
    const { openExperiment } = await import("../lib/experiment/experiment");
    const experiment = await openExperiment({ ...settings, eval: { ...settings.eval, role } });
    const begun = Date.now();
    const bars = progressSeries();
    const onStart = (what: string, index: number, total: number): void =>
      bars.start(`[${index + 1}/${total}, ${formatDuration((Date.now() - begun) / 1000)}] ${what}`);
    try {
      await runSweep(
        { ...experiment, settings },
        { variants, seeds, role, onStart, onProgress: (done, total, note) => bars.update(done, note, total) },
      );
    } finally {
      bars.finish();
      experiment.close();
    }
  }
  const { table, outdated, folder } = await publishAblations(settings, role);
  console.log(
    `\n${role} drawings, accuracy in % by text inclusion, 95 % intervals (two-level bootstrap over seeds and sub-categories)\n`,
  );
  console.log(toMarkdown(printedAblations(table)));
  if (outdated > 0) console.log(`${outdated} results on disk are left out: other code, data or settings made them.`);
  if (table.length > 0) console.log(`Written: ${path.relative(process.cwd(), folder)}/ablations*.csv and .svg`);
  return 0;
}
