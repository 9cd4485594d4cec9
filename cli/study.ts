/** `study`: the methods over seeds, and the tests of the protocol's hypotheses. */
import * as path from "node:path";
import { hashSettings, provenance } from "../lib/experiment/identity";
import { benchmarkOf } from "../lib/experiment/open";
import { runFolder } from "../lib/experiment/run";
import { recordLook } from "../lib/experiment/study/look";
import { studyRoot } from "../lib/experiment/study/places";
import { formatDuration, progressSeries } from "../lib/report/progress";
import { writeBlocks } from "../lib/report/readme";
import { shownGroup, studyBlock } from "../lib/report/study-block";
import { toMarkdown } from "../lib/report/tables";
import type { Settings } from "../lib/experiment/settings";
import { chooseVariants } from "../lib/experiment/ablations/variants";
import { planStudy, ROLE } from "../lib/experiment/study/run";
import { variantsOf, type Part, type StudyPart } from "../lib/experiment/study/variants";
import { repositoryRoot } from "../lib/util/root";
import { command, type StudyOptions } from "./commands/study";
import { openFor, settingsOf } from "./experiment";
import { print } from "./output";
import { sharedWords } from "./ray";
import { installRay } from "./ray-install";
import { runSweepTask, sweepOnRay } from "./ray-sweep";
import { showLinks } from "./study-links";
import { showProbes } from "./study-probes";
import { UsageError } from "./values";

async function runAll(settings: Settings, part: Part, seeds: readonly number[]): Promise<void> {
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

/** Writes down a look at the test drawings, where they are what is asked about. */
async function look(
  settings: Settings,
  { seeds, part, reason }: { seeds: readonly number[]; part: StudyPart; reason: string | null },
): Promise<void> {
  if (settings.benchmark !== "emoji-study-test") return;
  const { fingerprint } = await benchmarkOf(settings);
  const { code } = provenance(settings, fingerprint);
  recordLook({ at: new Date().toISOString(), code, settings: hashSettings(settings), seeds: [...seeds], part, reason });
}

/** @returns exit code */
export async function run(options: StudyOptions): Promise<number> {
  if (options.installRay) return installRay();
  const { on, seeds, reason = null, table, part } = options;
  if (options.ray !== undefined && (part === "links" || part === "probes"))
    throw new UsageError(`--part ${part} runs on this machine; --ray is for the parts that train, main and sweeps`);
  const settings = settingsOf(options, [`benchmark=emoji-study-${on}`]);
  if (part === "links") return showLinks(settings, seeds, () => look(settings, { seeds, part, reason }));
  if (part === "probes") {
    const [seed] = seeds;
    return showProbes({ ...settings, seed }, () => look(settings, { seeds: [seed], part, reason }));
  }
  const variants = chooseVariants(settings, variantsOf(part));
  const work = { variants, seeds, role: ROLE } as const;
  // the look at the test drawings was written down by the one who started the job
  if (options.rayTask !== undefined) return runSweepTask(settings, options.rayTask, work);
  const benchmark = await benchmarkOf(settings);
  const home = { settings, benchmark, folder: runFolder(settings) };
  if (!table) {
    const { isArchived } = planStudy(home, { part, seeds }); // refuses before anything is looked at or sent
    await look(settings, { seeds, part, reason });
    if (options.ray !== undefined) {
      const words = sharedWords(command, options, ["seeds", "table", "reason"]);
      await sweepOnRay(settings, options, { ...work, words, contrastive: part === "main", isArchived });
    }
    await runAll(settings, part, seeds); // what Ray's tasks made is loaded
  }
  const { publishStudy } = await import("../lib/experiment/study/publish");
  const found = await publishStudy(home, seeds);
  print(toMarkdown(found.methods));
  if (found.tests.length > 0) {
    print(`\n${toMarkdown(found.tests)}`);
    for (const note of found.testNotes) print(note);
  }
  if (found.outdated > 0)
    print(`${found.outdated} results on disk are left out: other code, data or settings made them.`);
  if (on === shownGroup(studyRoot())) writeBlocks(repositoryRoot(), { "study in short": studyBlock(studyRoot()) });
  print(`Written: ${path.relative(process.cwd(), found.folder)}`);
  return 0;
}
