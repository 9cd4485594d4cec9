/** `notebooks [FILE…] [--scale smoke|default|paper] [--run NAME] [--verbose]`: runs notebooks headless, in order. */
import * as fs from "node:fs";
import { parseArgs } from "node:util";
import { allNotebooks, runNotebooks, type RunOptions } from "../tools/notebooks/run";

const SCALES = ["smoke", "default", "paper"];

/** Notebooks and options of a command line; throws on an unknown option, scale, run name or file. */
export function parseNotebookArguments(args: string[], env = process.env): { files: string[]; options: RunOptions } {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { scale: { type: "string" }, run: { type: "string" }, verbose: { type: "boolean", default: false } },
  });
  const scale = values.scale ?? env.FINE_R1_SCALE ?? "default";
  if (!SCALES.includes(scale))
    throw new Error(`scale ${JSON.stringify(scale)} is unknown: one of ${SCALES.join(", ")}`);
  const run = values.run ?? env.FINE_R1_RUN ?? (scale === "default" ? "main" : scale);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(run)) {
    throw new Error(`run ${JSON.stringify(run)}: a name has letters, digits, ".", "_" and "-" only, at most 64`);
  }
  const missing = positionals.find((file) => !fs.existsSync(file));
  if (missing !== undefined) throw new Error(`${missing}: no such notebook`);
  return {
    files: positionals.length > 0 ? positionals : allNotebooks(),
    options: { scale, run, verbose: values.verbose },
  };
}

export async function run(args: string[]): Promise<number> {
  const { files, options } = parseNotebookArguments(args);
  const results = await runNotebooks(files, options);
  return results.every((result) => result.ok) ? 0 : 1;
}
