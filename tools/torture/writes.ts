/**
 * `npm run torture -- writes`: a small TAPO run is killed in the middle of writing each kind of file, and between
 * writing and renaming, one kind after another in one run; then it is finished and compared to the bit.
 */
import { rmSync } from "node:fs";
import * as path from "node:path";
import { runFolder } from "../../lib/experiment/run";
import { faultEnvironment, faultLibrary, type Fault } from "./fault";
import { runChild } from "./killed";
import { differing, leftOvers, resultsOf } from "./leavings";
import { writePictures } from "./miniature";
import { report } from "./report";

const SCRIPT = path.join(__dirname, "tapo.ts");
/** Two steps, each saved: as few as show all. */
export const SHORT: readonly string[] = ["rl.steps=2", "eval.limit=4"];

/** Kills in the order in which a run comes to them; each process goes on from the one before. */
export const cutWrites = (run: string): Fault[] => [
  { do: "kill", path: "checkpoint-1.", bytes: 5000 },
  { do: "kill-renamed", path: "/checkpoint-1" },
  { do: "kill", path: `${run}/rollouts/tapo.jsonl`, bytes: 100 },
  { do: "kill", path: "models/tapo.", bytes: 10_000 },
  { do: "kill", path: `${run}/logs/tapo.jsonl`, bytes: 10 },
  { do: "kill-rename", path: "models/tapo.stamp" },
  { do: "kill-renamed", path: "models/tapo.stamp" },
  { do: "kill", path: ".partial", bytes: 700 },
  { do: "kill-rename", path: "predictions/tapo.jsonl.stamp" },
];

/** Kills a run at each fault in turn. @throws Error where a process ends otherwise */
export async function killAtWrites(library: string, run: string, faults: readonly Fault[]): Promise<void> {
  for (const fault of faults) {
    const { code, stderr } = await runChild(SCRIPT, [run, ...SHORT], { env: faultEnvironment(library, fault) });
    if (code !== null) throw new Error(`${fault.do} at ${fault.path}: the process ended with ${code}: ${stderr}`);
  }
}

async function main(): Promise<void> {
  const library = faultLibrary();
  if ("reason" in library) throw new Error(`no disk that fails can be made here: ${library.reason}`);
  await writePictures();
  const [whole, cut] = ["whole", "cut"].map((of) => `torture-writes-${of}-${process.pid}`);
  const folders = [whole, cut].map((run) => runFolder({ run }));
  try {
    const faults = cutWrites(cut);
    await killAtWrites(library.file, cut, faults);
    for (const run of [whole, cut]) {
      const { code, stderr } = await runChild(SCRIPT, [run, ...SHORT]);
      if (code !== 0) throw new Error(stderr);
    }
    const different = differing(resultsOf(folders[0]), resultsOf(folders[1]));
    const figures = { kills: faults.length, different, left_over: leftOvers(folders[1]) };
    report("writes", figures);
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    process.exitCode = different.length + figures.left_over.length > 0 ? 1 : 0;
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

if (require.main === module) void main();
