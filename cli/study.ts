/** `study`: the methods over seeds, and the tests of the protocol's hypotheses. */
import * as path from "node:path";
import { hashSettings, provenance } from "../lib/experiment/identity";
import { benchmarkOf } from "../lib/experiment/open";
import { runFolder } from "../lib/experiment/run";
import { studyFolder } from "../lib/experiment/study/publish";
import type { Part } from "../lib/experiment/study/run";
import { recordLook } from "../lib/experiment/study/look";
import { formatDuration, progressSeries } from "../lib/report/progress";
import { disposeTree } from "../lib/engine/tree";
import { writeText } from "../lib/util/files";
import { toMarkdown, type TableRow } from "../lib/report/tables";
import type { Settings } from "../lib/experiment/settings";
import type { StudyOptions } from "./commands/study";
import { openFor, settingsOf, withExperiment } from "./experiment";
import { print } from "./output";

async function runAll(settings: Settings, { part, seeds }: { part: Part; seeds: readonly number[] }): Promise<void> {
  const { runStudy } = await import("../lib/experiment/study/run");
  const experiment = await openFor(settings);
  const begun = Date.now();
  const bars = progressSeries();
  try {
    await runStudy(experiment, {
      part,
      seeds,
      onStart: (what, index, total) =>
        bars.start(`[${index + 1}/${total}, ${formatDuration((Date.now() - begun) / 1000)}] ${what}`),
      onProgress: (done, total, note) => bars.update(done, note, total),
    });
    bars.finish();
  } catch (error) {
    bars.stop();
    throw error;
  } finally {
    experiment.close();
  }
}

/** Methods whose chain is taken apart. */
const LINKED = ["base-cot", "sft", "tapo"] as const;

/** Accuracy with parts of the rationale given, in `links.md` and `links.json` of the run's study. */
async function showLinks(settings: Settings): Promise<void> {
  const { chainLinks } = await import("../lib/experiment/study/links");
  const { methodParams } = await import("../lib/experiment/evaluate");
  await withExperiment(settings, "links", async (experiment, watch) => {
    const lines: TableRow[] = [];
    for (const method of LINKED) {
      const params = await methodParams(experiment, method, watch);
      try {
        const links = await chainLinks(experiment, params, { samples: 8, onProgress: watch.onProgress });
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
    writeText(path.join(folder, "links.md"), `${toMarkdown(lines)}\n`);
    writeText(path.join(folder, "links.json"), `${JSON.stringify(lines, null, 2)}\n`);
    print(toMarkdown(lines));
  });
}

/** @returns exit code */
export async function run(options: StudyOptions): Promise<number> {
  const { on, part, seeds, reason = null, table } = options;
  const settings = settingsOf(options, [`benchmark=emoji-study-${on}`]);
  const benchmark = await benchmarkOf(settings);
  const { code } = provenance(settings, benchmark.fingerprint);
  if (!table) {
    if (on === "test")
      recordLook({ at: new Date().toISOString(), code, settings: hashSettings(settings), seeds: [...seeds], reason });
    if (part === "links") {
      await showLinks({ ...settings, seed: seeds[0] });
      return 0;
    }
    await runAll(settings, { ...options, part });
  }
  const { publishStudy } = await import("../lib/experiment/study/publish");
  const found = await publishStudy({ settings, benchmark, folder: runFolder(settings) }, seeds);
  print(toMarkdown(found.methods));
  if (found.tests.length > 0) print(`\n${toMarkdown(found.tests)}`);
  if (found.outdated > 0)
    print(`${found.outdated} results on disk are left out: other code, data or settings made them.`);
  print(`Written: ${path.relative(process.cwd(), found.folder)}`);
  return 0;
}
