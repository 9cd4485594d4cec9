/** `study --part links`: which link of the chain fails. */
import * as path from "node:path";
import { disposeTree } from "../lib/engine/tree";
import { linkLines, type SeedLink } from "../lib/experiment/study/link-table";
import { ROLE, studyFolder } from "../lib/experiment/study/run";
import { chooseVariants } from "../lib/experiment/ablations/variants";
import type { Settings } from "../lib/experiment/settings";
import type { Watch } from "../lib/experiment/stage";
import type { Experiment } from "../lib/experiment/types";
import { toMarkdown } from "../lib/report/tables";
import { writeText } from "../lib/util/files";
import { withExperiment } from "./experiment";
import { print } from "./output";

/** Answers sampled for each question. */
const SAMPLES = 8;
/** Methods whose chain is taken apart. */
const LINKED = ["base-cot", "sft", "tapo"] as const;

async function linksOf(experiment: Experiment, seed: number, watch: Watch): Promise<SeedLink[]> {
  const { chainLinks } = await import("../lib/experiment/study/links");
  const { methodParams } = await import("../lib/experiment/evaluate");
  const { variantExperiment } = await import("../lib/experiment/ablations/run");
  const found: SeedLink[] = [];
  for (const variant of chooseVariants(experiment.settings, LINKED)) {
    // the study's own model of the seed, where it has been trained already
    const own = variantExperiment(experiment, variant, { seed, role: ROLE });
    const params = await methodParams(own, variant.method, watch);
    try {
      const links = await chainLinks(own, params, { samples: SAMPLES, onProgress: watch.onProgress });
      found.push(...links.map((link) => ({ method: variant.name, seed, ...link })));
    } finally {
      disposeTree(params);
    }
  }
  return found;
}

function write(experiment: Experiment, links: readonly SeedLink[]): void {
  const folder = studyFolder(experiment);
  const seeds = [...new Set(links.map(({ seed }) => seed))].join(",");
  const text = [
    `# Links of the chain on ${experiment.benchmark.name}`,
    `Made by \`npm run study -- --on ${path.basename(folder)} --part links --seeds ${seeds}\`. Accuracy in % when the model goes on from its own analysis cut off after one word, from true visual words, from true candidates, or from both; and of ${SAMPLES} samples at temperature 1: whether any is right, the share that is, and whether the most common answer is. The mean over seeds; \`links.json\` has each. An answer without its tag is wrong.`,
    toMarkdown(linkLines(links)),
  ];
  writeText(path.join(folder, "links.md"), `${text.join("\n\n")}\n`);
  writeText(path.join(folder, "links.json"), `${JSON.stringify(links, null, 2)}\n`);
}

/**
 * Accuracy with parts of the rationale given, in `links.md` (the mean over seeds) and `links.json` (each seed) beside
 * the study's results. Both are written after each seed.
 * @param look writes down a look at test drawings before they are asked about
 * @returns exit code
 */
export async function showLinks(
  settings: Settings,
  seeds: readonly number[],
  look: () => Promise<void>,
): Promise<number> {
  await look();
  // the run's own seed stays: where a seed's models are depends on it
  return withExperiment(settings, "links", async (experiment, watch) => {
    const links: SeedLink[] = [];
    for (const seed of seeds) {
      links.push(...(await linksOf(experiment, seed, watch)));
      write(experiment, links);
    }
    print(toMarkdown(linkLines(links)));
    return 0;
  });
}
