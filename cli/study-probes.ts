/** `study --part probes`: features and knowledge before and after training (hypothesis H8). */
import * as path from "node:path";
import { disposeTree } from "../lib/engine/tree";
import { runProbes } from "../lib/experiment/probes/run";
import type { Experiment } from "../lib/experiment/types";
import type { Settings } from "../lib/experiment/settings";
import { studyFolder } from "../lib/experiment/study/run";
import { probeChanges, probeChangesTable, verdictOnH8 } from "../lib/report/probe-changes";
import { toMarkdown } from "../lib/report/tables";
import { writeText } from "../lib/util/files";
import { withExperiment } from "./experiment";
import { print } from "./output";
import { probeLines } from "./probe";

const PROBED = ["base", "sft", "tapo"] as const;

/**
 * An experiment whose probes ask about its own sub-categories alone: the study's knowledge is of all domains, those of
 * the other group too.
 */
export function askedOfOwn(experiment: Experiment): Experiment {
  const { benchmark } = experiment;
  if (!benchmark.extras) return experiment;
  const own = new Set(benchmark.subcategories().map(({ id }) => id));
  const knowledge = benchmark.extras.knowledge.map((one) => ({ ...one, evaluated: one.evaluated && own.has(one.id) }));
  return { ...experiment, benchmark: { ...benchmark, extras: { ...benchmark.extras, knowledge } } };
}

/**
 * Probes of the models of one seed, in `probes.md` and `probes.json` beside the study's results.
 * @param look writes down a look at test drawings before they are asked about
 * @returns exit code
 */
export async function showProbes(settings: Settings, look: () => Promise<void>): Promise<number> {
  await look();
  const { methodParams } = await import("../lib/experiment/evaluate");
  return withExperiment(settings, "probes", async (experiment, watch) => {
    for (const method of PROBED) disposeTree(await methodParams(experiment, method, watch)); // saved from now on
    const { rows, split } = await runProbes(askedOfOwn(experiment), PROBED, watch);
    const lines = probeLines(rows);
    const folder = studyFolder(experiment);
    const changes = probeChanges(rows, PROBED);
    const verdict = verdictOnH8(changes);
    const text = [
      `# Probes on ${experiment.benchmark.name}`,
      `Made by \`npm run study -- --on ${path.basename(folder)} --part probes --seeds ${settings.seed}\`. What the models of one seed see and know before training (base), after Stage 1 (sft) and after Stage 2 (tapo); ${split}.`,
      `${verdict} (Visual features, and questions in text on what sub-categories look like; from base to tapo.)`,
      "## Before and after",
      toMarkdown(probeChangesTable(changes)),
      "## Every probe",
      "95 % intervals by Wilson's method.",
      toMarkdown(lines),
    ];
    writeText(path.join(folder, "probes.md"), `${text.map((part) => part.trimEnd()).join("\n\n")}\n`);
    writeText(path.join(folder, "probes.json"), `${JSON.stringify(rows, null, 2)}\n`);
    print(toMarkdown(probeChangesTable(changes)));
    print(verdict);
    return 0;
  });
}
