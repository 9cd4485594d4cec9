/** `contrastive`: trains and evaluates the contrastive baseline on the shipped data (`clip-base`, `clip-fewshot`). */
import { parseArgs } from "node:util";
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
import { CONTRASTIVE_LOSSES, type ContrastiveLoss } from "../lib/loss/contrastive";
import { publishContrastive } from "../lib/experiment/baselines/publish";
import { progress } from "../lib/report/progress";
import { overviewTable, toMarkdown } from "../lib/report/tables";
import { loadSettings } from "../lib/experiment/settings";

const USAGE =
  "npm run -s fine-r1 -- contrastive [--run main] [--scale default] [--steps N] [--loss sigmoid|softmax] [--fewshot-rate R]";

function recipeOf(values: { steps?: string; loss?: string; "fewshot-rate"?: string }): ContrastiveRecipe {
  const steps = values.steps === undefined ? contrastiveRecipe.steps : Number(values.steps);
  if (!(Number.isInteger(steps) && steps >= 1))
    throw new Error(`--steps is ${JSON.stringify(values.steps)}; a positive integer expected; ${USAGE}`);
  const loss = (values.loss ?? contrastiveRecipe.loss) as ContrastiveLoss;
  if (!CONTRASTIVE_LOSSES.includes(loss))
    throw new Error(`--loss is ${loss}; ${CONTRASTIVE_LOSSES.join(" or ")} expected; ${USAGE}`);
  const fewshotLearningRate = Number(values["fewshot-rate"] ?? contrastiveRecipe.fewshotLearningRate);
  if (!(fewshotLearningRate > 0))
    throw new Error(
      `--fewshot-rate is ${JSON.stringify(values["fewshot-rate"])}; a positive number expected; ${USAGE}`,
    );
  return { ...contrastiveRecipe, steps, loss, fewshotLearningRate };
}

/** Prints the counts of pairs and the table; the predictions are in `data/runs/<run>/baselines`, for `table --baselines`. */
export async function run(args: string[]): Promise<number> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args,
    options: { run: text, scale: text, steps: text, loss: text, "fewshot-rate": text },
  });
  const recipe = recipeOf(values);
  const experiment = await openExperiment(loadSettings({ scale: values.scale, run: values.run }));
  try {
    const { concepts, named, described } = pairCounts(experiment);
    console.log(
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
    console.log(toMarkdown(overviewTable(overview(rows))));
    console.log(`Written: ${baselineFolder(experiment)}, ${await publishContrastive(experiment.settings)}`);
    return 0;
  } finally {
    experiment.close();
  }
}
