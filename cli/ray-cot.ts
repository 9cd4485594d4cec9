/** `cot` on a Ray cluster: parts of its images as tasks, and one of these tasks. */
import { readdirSync, rmSync } from "node:fs";
import * as path from "node:path";
import { parsePart, partText, partsOf, sliceOf, type Part, type Slice } from "../lib/cluster/part";
import type { ClusterTask } from "../lib/cluster/plan";
import { checkCode } from "../lib/cluster/same-code";
import { checkProducts } from "../lib/cluster/same-products";
import { OBSERVED_AT_ONCE } from "../lib/cot/offline-teacher";
import {
  askedFiles,
  askShare,
  hasObservations,
  joinSlices,
  reasonedImages,
  observeSlice,
  rationalesBy,
} from "../lib/experiment/cot";
import type { Watch } from "../lib/experiment/stage";
import type { Experiment } from "../lib/experiment/types";
import { command, type CotOptions } from "./commands/cot";
import { runOnRay, sharedWords } from "./ray";
import { UsageError } from "./values";

const KINDS = ["observations", "descriptions", "rationales"] as const;
type Kind = (typeof KINDS)[number];
/** Where answers of a teacher are, one file each. */
const ANSWERS = "cot/cache/*";

/** What `--ray-task` says: `descriptions:2/4`. */
function parseTask(text: string): { kind: Kind; part: Part } {
  const [, word, rest] = /^(\w+):(.*)$/.exec(text) ?? [];
  const kind = KINDS.find((one) => one === word);
  const part = rest === undefined ? null : parsePart(rest);
  if (kind === undefined || part === null)
    throw new Error(
      `--ray-task is ${JSON.stringify(text)}; expected one of ${KINDS.join(", ")} and a part, such as descriptions:2/4`,
    );
  return { kind, part };
}

/** Observations of some images, as `observeSlice` leaves them. */
const SLICE = /^observations-[0-9a-f]+\.partial\.\d+-\d+\.jsonl$/;

/** Removes what jobs of another `--ray-parts` left, once all images are joined; not what a process has locked. */
export function removeSlices(folder: string): void {
  const names = readdirSync(folder);
  for (const name of names)
    if (SLICE.test(name) && !names.includes(`${name}.lock`)) rmSync(path.join(folder, name), { force: true });
}

/** Runs one task; its results are in the run's folder, where `cotData` looks for them. */
export async function cotTask(experiment: Experiment, text: string, watch: Watch): Promise<void> {
  checkCode();
  checkProducts(experiment.settings);
  const { kind, part } = parseTask(text);
  if (kind === "observations") {
    const slice = sliceOf(reasonedImages(experiment).length, OBSERVED_AT_ONCE, part);
    return observeSlice(experiment, slice, watch);
  }
  const slice = sliceOf((await askedFiles(experiment)).length, 1, part);
  return askShare(experiment, { kind, ...slice }, watch);
}

/** Asks on the cluster what `cotData` will look for. @throws Error where there is nothing to spread */
export async function cotOnRay(experiment: Experiment, options: CotOptions, watch: Watch): Promise<void> {
  const by = rationalesBy(experiment);
  if (by === "endpoint" || by === "file")
    throw new UsageError(
      `--ray is for a teacher that is a model here (teacher=self); ${by === "file" ? "a file of records needs no asking" : "an endpoint answers several requests at a time by itself"}`,
    );
  const words = sharedWords(command, options, []);
  const run = (tasks: readonly ClusterTask[]): Promise<void> =>
    runOnRay(options, {
      folder: experiment.folder,
      tasks,
      name: "cot",
      settings: experiment.settings,
      signal: watch.signal,
    });
  const task = (kind: Kind, part: Part, after: readonly string[], writes: string): ClusterTask => ({
    id: `${kind} ${partText(part)}`,
    args: [...words, `--ray-task=${kind}:${partText(part)}`],
    after,
    writes: [writes],
  });
  if (by === "knowledge") {
    if (hasObservations(experiment)) return;
    const images = reasonedImages(experiment).length;
    const parts = partsOf(images, OBSERVED_AT_ONCE, options.rayParts);
    const slices = parts.map((part) => sliceOf(images, OBSERVED_AT_ONCE, part));
    const file = ({ from, to }: Slice): string => `cot/observations-*.partial.${from}-${to}.jsonl`;
    await run(parts.map((part, i) => task("observations", part, [], file(slices[i]))));
    joinSlices(experiment, slices);
    return removeSlices(path.join(experiment.folder, "cot"));
  }
  // which concepts an image is known by is clear once all are described
  const parts = partsOf((await askedFiles(experiment)).length, 1, options.rayParts);
  const first = parts.map((part) => task("descriptions", part, [], ANSWERS));
  const second = parts.map((part) =>
    task(
      "rationales",
      part,
      first.map(({ id }) => id),
      ANSWERS,
    ),
  );
  return run([...first, ...second]);
}
