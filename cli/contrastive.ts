/** `contrastive`: trains and evaluates the contrastive baseline on the shipped data (`clip-base`, `clip-fewshot`). */
import {
  baselineFolder,
  CONTRASTIVE_METHODS,
  contrastiveRecipeOf,
  evaluateContrastive,
  pairCounts,
  type ContrastiveRecipe,
} from "../lib/experiment/baselines/contrastive";
import { overview } from "../lib/eval/overview";
import { publishContrastive } from "../lib/experiment/baselines/publish";
import { overviewTable, toMarkdown } from "../lib/report/tables";
import type { ContrastiveOptions } from "./commands/contrastive";
import { settingsOf, withExperiment } from "./experiment";
import { print } from "./output";

function recipeOf({ steps, loss, fewshotRate }: ContrastiveOptions, benchmark: string): ContrastiveRecipe {
  const recipe = contrastiveRecipeOf(benchmark);
  return {
    ...recipe,
    steps: steps ?? recipe.steps,
    loss: loss ?? recipe.loss,
    fewshotLearningRate: fewshotRate ?? recipe.fewshotLearningRate,
  };
}

/**
 * Prints the counts of pairs and the table; the predictions are in `data/runs/<run>/baselines`, for
 * `table --baselines`.
 */
export function run(options: ContrastiveOptions): Promise<number> {
  const settings = settingsOf(options);
  const recipe = recipeOf(options, settings.benchmark);
  return withExperiment(settings, "contrastive", async (experiment, watch) => {
    const { concepts, named, described } = pairCounts(experiment);
    print(
      `pairs as the base has them: ${named} images with their name (one a concept, ${concepts} concepts), ${described} images with a description; ${recipe.steps} steps of ${recipe.images} (${recipe.named} named), ${recipe.loss} loss`,
    );
    const rows = [];
    for (const method of CONTRASTIVE_METHODS)
      rows.push(...(await evaluateContrastive(experiment, method, { recipe, watch })));
    print(toMarkdown(overviewTable(overview(rows))));
    print(`Written: ${baselineFolder(experiment)}, ${await publishContrastive(experiment)}`);
    return 0;
  });
}
