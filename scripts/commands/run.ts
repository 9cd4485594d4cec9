/** `run`: the main job — every notebook at `default` scale, headless, in order. */
import { run as runNotebookCommand } from "./notebooks";

export async function run(args: string[]): Promise<number> {
  return runNotebookCommand(args);
}
