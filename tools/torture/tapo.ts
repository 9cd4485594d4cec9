/**
 * A small TAPO run with its evaluation, to be killed: `tapo.ts RUN [name=value ...]`. What it is at goes to stdout, a
 * line each; the last is `done`.
 */
import { disposeTree } from "../../lib/engine/tree";
import { evaluate } from "../../lib/experiment/evaluate";
import { openExperiment } from "../../lib/experiment/open";
import { rlModel } from "../../lib/experiment/rl";
import type { Watch } from "../../lib/experiment/stage";
import { miniatureSettings } from "./miniature";

const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(): Promise<void> {
  const [run, ...set] = process.argv.slice(2);
  const experiment = await openExperiment(miniatureSettings(run, ...set), { say: () => undefined });
  say("open");
  const watch: Watch = { onProgress: (done, _, note) => say(`${note} ${done}`) };
  const { params } = await rlModel(experiment, "tapo", watch);
  disposeTree(params);
  say("evaluation 0");
  await evaluate(experiment, "tapo", watch);
  experiment.close();
  say("done");
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
