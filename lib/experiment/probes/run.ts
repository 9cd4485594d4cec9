/**
 * The knowledge-deployment analysis (paper, section 4.4: features and knowledge hardly change in training, their use
 * does): linear probes on frozen features, text-only name knowledge, and short questions other than naming, before and
 * after training.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { disposeTree } from "../../engine/tree";
import { createProbes, type ProbeRow } from "../../eval/probes";
import { probesFigure } from "../../report/probes-figure";
import { saveFigures } from "../../report/static-figures";
import { METHOD_NAMES, METHODS, type Method } from "../../train/methods";
import { throwIfAborted } from "../../util/abort";
import { writeText } from "../../util/files";
import { evaluationBench, methodParams } from "../evaluate";
import { provenance } from "../identity";
import { placesOf } from "../models";
import { publishFolder, type RunHome } from "../publish";
import type { Watch } from "../stage";
import type { Experiment } from "../types";
import { knowledgeProbes, knowledgeQuestions } from "./knowledge";
import { linearProbes } from "./linear";
import { probeSamples, type ProbeReport } from "./samples";
import { transferProbes } from "./transfer";

/** The methods a run has models of; the base is always there. @throws Error on a name that is no method */
export function probedMethods(
  { folder }: Pick<Experiment, "folder">,
  methods: readonly string[],
): { found: Method[]; absent: ProbeReport["absent"] } {
  const names: readonly string[] = METHOD_NAMES;
  const unknown = methods.find((method) => !names.includes(method));
  if (unknown !== undefined)
    throw new Error(`probes: no method ${JSON.stringify(unknown)}; known are ${METHOD_NAMES.join(", ")}`);
  const isThere = (method: string): boolean => {
    const { model, adapter } = placesOf(folder, method);
    return METHODS[method as Method].stage === "base" || existsSync(model) || existsSync(adapter);
  };
  const absent = methods
    .filter((method) => !isThere(method))
    .map((method) => ({ method, reason: `no saved model (models/${method}); the main job of this run makes it` }));
  return { found: methods.filter(isThere) as Method[], absent };
}

/**
 * Runs all probes on the saved models and writes `probes/probes.json` under the run. A model that was saved under other
 * settings or code is trained again first.
 */
export async function runProbes(
  experiment: Experiment,
  methods: readonly string[],
  { onProgress, signal }: Watch = {},
): Promise<ProbeReport> {
  const { benchmark, settings, prompts, folder } = experiment;
  const { found, absent } = probedMethods(experiment, methods);
  const { train, test } = probeSamples(experiment);
  const all = [...train, ...test];
  const { bench } = await evaluationBench(
    experiment,
    all.map(({ id, file, subcategory }) => ({
      image_path: id,
      image: file,
      question: "",
      ground_truth: subcategory.name,
      domain: subcategory.domain,
      split: subcategory.split,
      setting: "open",
      where: id,
    })),
  );
  const { extras } = benchmark;
  const questions = extras ? knowledgeQuestions(extras.knowledge, experiment) : [];
  if (!extras)
    absent.push({
      method: "text and transfer probes",
      reason: `${benchmark.name} does not say what its sub-categories look like in words`,
    });
  const probes = createProbes(bench);
  const report: ProbeReport = {
    rows: [],
    absent,
    fits: [],
    split: `linear probes: fitted on the ${train.length} few-shot images (seen and unseen sub-categories; the seen ones are SFT's and RL's images too), tested on ${test.length} ${settings.eval.role} images`,
  };
  for (const [i, method] of found.entries()) {
    await onProgress?.(i, found.length, method);
    throwIfAborted(signal);
    const params = await methodParams(experiment, method);
    const features = await probes.features(
      params,
      all.map(({ id }) => id),
      all.map(({ subcategory }) => prompts.direct(benchmark.question(subcategory.domain))),
    );
    const linear = linearProbes(method, {
      train: { images: train, features: features.slice(0, train.length) },
      test: { images: test, features: features.slice(train.length) },
      concepts: benchmark.subcategories(),
    });
    report.fits.push(...linear.fits);
    report.rows.push(...linear.rows);
    if (extras) {
      report.rows.push(...knowledgeProbes(method, probes, params, questions));
      report.rows.push(...(await transferProbes(method, probes, params, { test, extras })));
    }
    disposeTree(params);
  }
  await onProgress?.(found.length, found.length, "");
  writeText(
    path.join(folder, "probes", "probes.json"),
    `${JSON.stringify({ settings, ...report }, null, 2)}
`,
  );
  return report;
}

/** Writes `probes.svg`, `.csv` and its stamp where the run publishes. @returns the CSV's path */
export async function publishProbes({ settings, benchmark }: RunHome, rows: readonly ProbeRow[]): Promise<string> {
  await saveFigures(
    [{ name: "probes", figure: probesFigure(rows), rows, provenance: provenance(settings, benchmark.fingerprint) }],
    publishFolder(settings),
  );
  return path.join(publishFolder(settings), "probes.csv");
}
