/** `contrastive`: trains and evaluates the contrastive baseline on the shipped data (`clip-base`, `clip-fewshot`). */
import {
  baselineFolder,
  CONTRASTIVE_METHODS,
  contrastiveRecipe,
  evaluateContrastive,
  pairCounts,
  type ContrastiveRecipe,
} from "../lib/experiment/baselines/contrastive";
import { openExperiment } from "../lib/experiment/experiment";
import { overview } from "../lib/eval/overview";
import { publishContrastive } from "../lib/experiment/baselines/publish";
import { progress } from "../lib/report/progress";
import { overviewTable, toMarkdown } from "../lib/report/tables";
import { loadSettings } from "../lib/experiment/settings";
import type { ContrastiveOptions } from "./commands/contrastive";
import { print } from "./output";

const recipeOf = ({ steps, loss, fewshotRate }: ContrastiveOptions): ContrastiveRecipe => ({
  ...contrastiveRecipe,
  steps: steps ?? contrastiveRecipe.steps,
  loss: loss ?? contrastiveRecipe.loss,
  fewshotLearningRate: fewshotRate ?? contrastiveRecipe.fewshotLearningRate,
});

/** Prints the counts of pairs and the table; the predictions are in `data/runs/<run>/baselines`, for `table --baselines`. */
export async function run(options: ContrastiveOptions): Promise<number> {
  const recipe = recipeOf(options);
  const { scale, run: name, set } = options;
  const experiment = await openExperiment(loadSettings({ scale, run: name, set }));
  try {
    const { concepts, named, described } = pairCounts(experiment);
    print(
      `pairs as the base has them: ${named} drawings with their name (one a concept, ${concepts} concepts), ${described} drawings with a description; ${recipe.steps} steps of ${recipe.images} (${recipe.named} named), ${recipe.loss} loss`,
    );
    const rows = [];
    for (const method of CONTRASTIVE_METHODS) {
      const bar = progress(method, recipe.steps);
      rows.push(
        ...(await evaluateContrastive(experiment, method, recipe, (done, total, note) =>
          bar.update(done, note, total),
        )),
      );
      bar.finish();
    }
    print(toMarkdown(overviewTable(overview(rows))));
    print(`Written: ${baselineFolder(experiment)}, ${await publishContrastive(experiment.settings)}`);
    return 0;
  } finally {
    experiment.close();
  }
}
