/** `run`: the main job - every notebook, headless, in order - and the results table at its end. */
import { loadSettings } from "../lib/experiment/settings";
import { parseNotebookArguments } from "./notebooks";
import { runNotebooks } from "../tools/notebooks/run";
import { run as table } from "./table";

export async function run(args: string[]): Promise<number> {
  const { files, options } = parseNotebookArguments(args);
  loadSettings({ scale: options.scale, run: options.run }); // a wrong setting fails before the first kernel starts
  const results = await runNotebooks(files, options);
  if (!results.every((result) => result.ok)) return 1;
  console.log();
  return table(["--run", options.run]);
}
