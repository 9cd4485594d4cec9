/** What each engine gets, written into a folder with its README. */
import { writeFileSync } from "node:fs";
import * as path from "node:path";
import type { Experiment } from "../experiment/types";
import { exportEasyR1 } from "./easyr1";
import type { Engine } from "./engines";
import { replaceExport, writeMarker } from "./folder";
import { exportLlamaFactory } from "./llamafactory";
import { readme } from "./readme";
import { exportSwift } from "./swift";
import { exportTrl } from "./trl";
import type { Exported, Exporter, ExportOptions } from "./types";

const EXPORTERS: Readonly<Record<Engine, Exporter>> = {
  trl: exportTrl,
  llamafactory: exportLlamaFactory,
  swift: exportSwift,
  easyr1: exportEasyR1,
};

/**
 * Writes what an engine needs to train as this run does.
 * @throws Error naming what cannot be exported, and why; nothing is written then
 */
export function writeExport(
  experiment: Experiment,
  engine: Engine,
  dir: string,
  options: ExportOptions,
): Promise<Exported> {
  return replaceExport(dir, async (folder) => {
    const exported = await EXPORTERS[engine](experiment, folder, options);
    writeMarker(experiment, folder, { engine, gpus: options.gpus, counts: exported.counts });
    writeFileSync(path.join(folder, "README.md"), readme(experiment, exported, options.gpus));
    return exported;
  });
}
