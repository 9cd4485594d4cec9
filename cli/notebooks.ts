/** `notebooks`: runs notebooks headless, in order. */
import * as fs from "node:fs";
import * as path from "node:path";
import { checkModel } from "../lib/experiment/run";
import { loadSettings } from "../lib/experiment/load-settings";
import { allNotebooks, runNotebooks, type RunOptions } from "../tools/notebooks/run";
import type { NotebooksOptions } from "./commands/notebooks";
import { UsageError } from "./values";

const nameOf = (file: string): string => path.basename(file, ".ipynb");

/**
 * A notebook by its file, or by its name in `notebooks/`, with or without the suffix.
 * @throws UsageError with the names there are
 */
export function findNotebook(name: string, all: readonly string[] = allNotebooks()): string {
  if (fs.existsSync(name) && fs.statSync(name).isFile()) return name;
  const found = all.find((file) => nameOf(file) === nameOf(name) && path.dirname(name) === ".");
  if (found === undefined) throw new UsageError(`${name}: no such notebook; there are ${all.map(nameOf).join(", ")}`);
  return found;
}

/**
 * Scale, run and settings of the kernels, checked here: what is refused starts no kernel and leaves no folder.
 * @throws Error on a wrong setting, or where the model is not there
 */
export function notebookOptions(options: NotebooksOptions, environment = process.env): RunOptions {
  const names = ["benchmark", "model", "teacher"] as const;
  const chosen = names.flatMap((name) => (options[name] === undefined ? [] : [`${name}=${options[name]}`]));
  const set = [environment.FINE_R1_SET ?? "", ...chosen, ...options.set].filter((one) => one !== "").join(",");
  const settings = loadSettings({
    scale: options.scale,
    run: options.run,
    environment: { ...environment, FINE_R1_SET: set },
  });
  const { scale, run } = settings;
  checkModel(settings);
  return { scale, run, verbose: options.verbose, ...(set === "" ? {} : { environment: { FINE_R1_SET: set } }) };
}

/** Runs the notebooks named, or all. @returns whether all ran through, and the name of the run */
export async function runAll(
  options: NotebooksOptions,
  names: readonly string[],
): Promise<{ ok: boolean; run: string }> {
  const files = names.length > 0 ? names.map((name) => findNotebook(name)) : allNotebooks();
  const checked = notebookOptions(options);
  const results = await runNotebooks(files, checked);
  return { ok: results.every((result) => result.ok), run: checked.run };
}

export async function run(options: NotebooksOptions, names: readonly string[]): Promise<number> {
  return (await runAll(options, names)).ok ? 0 : 1;
}
