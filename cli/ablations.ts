/** `ablations`: variants of the experiment, over seeds, and their table and figures. */
import * as path from "node:path";
import { chooseVariants, FAMILIES, type Variant } from "../lib/experiment/ablations/variants";
import { benchmarkOf } from "../lib/experiment/open";
import { runFolder } from "../lib/experiment/run";
import { formatDuration, progressSeries } from "../lib/report/progress";
import { toMarkdown } from "../lib/report/tables";
import type { Settings } from "../lib/experiment/settings";
import { command, type AblationsOptions } from "./commands/ablations";
import { openFor, settingsOf } from "./experiment";
import { print } from "./output";
import { sharedWords } from "./ray";
import { installRay } from "./ray-install";
import { runSweepTask, sweepOnRay } from "./ray-sweep";

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

/** Trains and asks what is not yet on disk. */
async function sweep(
  settings: Settings,
  { variants, seeds, role }: { variants: Variant[]; seeds: number[]; role: "dev" | "test" },
): Promise<void> {
  const { runSweep } = await import("../lib/experiment/ablations");
  const { variantOf } = await import("../lib/experiment/open");
  const experiment = await openFor({ ...settings, eval: { ...settings.eval, role } });
  const begun = Date.now();
  const bars = progressSeries();
  const onStart = (what: string, index: number, total: number): void =>
    bars.start(`[${index + 1}/${total}, ${formatDuration((Date.now() - begun) / 1000)}] ${what}`);
  try {
    await runSweep(variantOf(experiment, { settings, folder: experiment.folder }), {
      variants,
      seeds,
      role,
      onStart,
      onProgress: (done, total, note) => bars.update(done, note, total),
    });
    bars.finish();
  } catch (error) {
    bars.stop();
    throw error;
  } finally {
    experiment.close();
  }
}

/** Prints the table of all that is on disk, and writes it with its figures. */
async function publish(settings: Settings, role: "dev" | "test"): Promise<void> {
  const { printedAblations, publishAblations } = await import("../lib/experiment/ablations");
  const { table, outdated, folder } = await publishAblations(
    { settings, benchmark: await benchmarkOf(settings), folder: runFolder(settings) },
    role,
  );
  print(
    `\n${role} images, accuracy in % by text inclusion, 95 % intervals (two-level bootstrap over seeds and sub-categories)\n`,
  );
  print(toMarkdown(printedAblations(table)));
  if (outdated > 0) print(`${outdated} results on disk are left out: other code, data or settings made them.`);
  if (table.length > 0) print(`Written: ${path.relative(process.cwd(), folder)}/ablations*.csv and .svg`);
}

/** Trains what is missing (not with `--table`), then publishes. @returns exit code */
export async function run(options: AblationsOptions): Promise<number> {
  if (options.installRay) return installRay();
  const { role, seeds: chosen } = options;
  const settings = settingsOf(options);
  const variants = chooseVariants(settings, options.only);
  if (options.list) {
    print(list(variants));
    return 0;
  }
  const work = { variants, seeds: chosen ?? [settings.seed], role };
  if (options.rayTask !== undefined) return runSweepTask(settings, options.rayTask, work);
  if (!options.table && options.ray !== undefined) {
    const words = sharedWords(command, options, ["only", "seeds", "list", "table"]);
    await sweepOnRay(settings, options, { ...work, words });
  } else if (!options.table) await sweep(settings, work);
  await publish(settings, role);
  return 0;
}
