/** `study`: the methods over seeds, and the tests of the protocol's hypotheses. */
import * as path from "node:path";
import { hashSettings, provenance } from "../lib/experiment/identity";
import { benchmarkOf } from "../lib/experiment/open";
import { runFolder } from "../lib/experiment/run";
import { recordLook } from "../lib/experiment/study/look";
import { formatDuration, progressSeries } from "../lib/report/progress";
import { toMarkdown } from "../lib/report/tables";
import type { Settings } from "../lib/experiment/settings";
import type { StudyOptions } from "./commands/study";
import { openFor, settingsOf } from "./experiment";
import { print } from "./output";

async function runAll(settings: Settings, { part, seeds }: StudyOptions): Promise<void> {
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

/** @returns exit code */
export async function run(options: StudyOptions): Promise<number> {
  const { on, seeds, reason = null, table } = options;
  const settings = settingsOf(options, [`benchmark=emoji-study-${on}`]);
  const benchmark = await benchmarkOf(settings);
  const { code } = provenance(settings, benchmark.fingerprint);
  if (!table) {
    if (on === "test")
      recordLook({ at: new Date().toISOString(), code, settings: hashSettings(settings), seeds: [...seeds], reason });
    await runAll(settings, options);
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
