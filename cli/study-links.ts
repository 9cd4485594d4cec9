/** `study --part links`: which link of the chain fails. */
import * as path from "node:path";
import { disposeTree } from "../lib/engine/tree";
import { ROLE, studyFolder } from "../lib/experiment/study/run";
import { chooseVariants } from "../lib/experiment/ablations/variants";
import type { Settings } from "../lib/experiment/settings";
import { toMarkdown, type TableRow } from "../lib/report/tables";
import { writeText } from "../lib/util/files";
import { withExperiment } from "./experiment";
import { print } from "./output";

/** Answers sampled for each question. */
const SAMPLES = 8;
/** Methods whose chain is taken apart. */
const LINKED = ["base-cot", "sft", "tapo"] as const;

/**
 * Accuracy with parts of the rationale given, in `links.md` and `links.json` beside the study's results.
 * @param look writes down a look at test drawings before they are asked about
 * @returns exit code
 */
export async function showLinks(settings: Settings, look: () => Promise<void>): Promise<number> {
  await look();
  const { chainLinks } = await import("../lib/experiment/study/links");
  const { methodParams } = await import("../lib/experiment/evaluate");
  const { variantExperiment } = await import("../lib/experiment/ablations/run");
  return withExperiment(settings, "links", async (experiment, watch) => {
    const lines: TableRow[] = [];
    for (const variant of chooseVariants(settings, LINKED)) {
      const { name: method } = variant;
      // the study's own model of the seed, where it has been trained already
      const own = variantExperiment(experiment, variant, { seed: settings.seed, role: ROLE });
      const params = await methodParams(own, variant.method, watch);
      try {
        const links = await chainLinks(own, params, { samples: SAMPLES, onProgress: watch.onProgress });
        for (const given of new Set(links.map((link) => link.given)))
          lines.push({
            method,
            given,
            ...Object.fromEntries(
              links
                .filter((link) => link.given === given)
                .map((link) => [`${link.setting} ${link.split}`, (100 * link.accuracy).toFixed(1)]),
            ),
          });
      } finally {
        disposeTree(params);
      }
    }
    const folder = studyFolder(experiment);
    const group = path.basename(folder);
    const head = [
      `# Links of the chain on ${experiment.benchmark.name}`,
      `Made by \`npm run study -- --on ${group} --part links --seeds ${settings.seed}\`. Accuracy in % when the model goes on from its own analysis cut off after one word, from true visual words, from true candidates, or from both; and of ${SAMPLES} samples at temperature 1: whether any is right, the share that is, and whether the most common answer is. An answer without its tag is wrong.`,
    ];
    writeText(path.join(folder, "links.md"), `${[...head, toMarkdown(lines)].join("\n\n")}\n`);
    writeText(path.join(folder, "links.json"), `${JSON.stringify(lines, null, 2)}\n`);
    print(toMarkdown(lines));
    return 0;
  });
}
