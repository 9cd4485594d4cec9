/**
 * `npm run torture -- kill [--count N] [--seed S]`: a small TAPO run with its evaluation is killed by SIGKILL at N
 * random moments (default 100), up to eight in one run, and resumed until it is done. Parameters, log, saved groups and
 * predictions must be those of a run that nothing interrupted, to the bit.
 */
import { rmSync } from "node:fs";
import * as path from "node:path";
import { runFolder } from "../../lib/experiment/run";
import { foldIn, random } from "../../lib/util/random";
import { runChild } from "./killed";
import { differing, leftOvers, resultsOf } from "./leavings";
import { writePictures } from "./miniature";
import { option } from "./option";
import { report } from "./report";

const SCRIPT = path.join(__dirname, "tapo.ts");
const KILLS_OF_A_RUN = 8;
/** Share of a whole run that a process is given at least, of which a resumed one takes no more than what is left. */
const LEAST_LEFT = 0.2;

/** What was found. */
export interface KillFigures {
  kills: number;
  runs: number;
  /** What the process was at, by its last word: `sampling`, `update`, `saving`, `evaluation`, `start`. */
  moments: Record<string, number>;
  /** Runs whose results differ, with the files. */
  different: { run: number; files: string[] }[];
  /** Files that a finished run should not have left. */
  left_over: string[];
}

/** The moment behind a child's last line. */
function momentOf(line: string): string {
  const word = /^(open|sampling|update|reward|evaluation|rows answered)/.exec(line)?.[1];
  if (word === undefined) return "start";
  return { open: "start", reward: "saving", "rows answered": "evaluation" }[word] ?? word;
}

/**
 * Kills at `count` random moments.
 * @param say hears a line a run
 * @throws Error where a run ends otherwise than killed
 */
export async function killRuns(
  count: number,
  seed: number,
  say: (line: string, so: KillFigures) => void,
): Promise<KillFigures> {
  await writePictures();
  const name = (of: string): string => `torture-${of}-${process.pid}`;
  const folder = (of: string): string => runFolder({ run: name(of) });
  const clear = (of: string): void => rmSync(folder(of), { recursive: true, force: true });
  const figures: KillFigures = { kills: 0, runs: 0, moments: {}, different: [], left_over: [] };
  const finished = async (of: string): Promise<number> => {
    const { code, stderr, workMs } = await runChild(SCRIPT, [name(of)]);
    if (code !== 0) throw new Error(`run ${name(of)} ended with ${code}: ${stderr}`);
    return workMs;
  };
  try {
    const whole = await finished("whole");
    const expected = resultsOf(folder("whole"));
    while (figures.kills < count) {
      const run = figures.runs++;
      const stream = random(foldIn(seed, "kill", run));
      const target = Math.min(count - figures.kills, 1 + stream.integer(KILLS_OF_A_RUN));
      clear("cut");
      let isDone = false;
      let left = whole;
      for (let kills = 0; kills < target && !isDone;) {
        const killAfterMs = stream.uniform() * left;
        const { code, last, stderr } = await runChild(SCRIPT, [name("cut")], { killAfterMs });
        if (code !== null && code !== 0) throw new Error(`run ${run} ended with ${code} at ${last}: ${stderr}`);
        isDone = code === 0; // it was faster than its killer
        if (isDone) continue;
        kills++;
        figures.kills++;
        left = Math.max(left - killAfterMs, whole * LEAST_LEFT);
        const moment = momentOf(last);
        figures.moments[moment] = (figures.moments[moment] ?? 0) + 1;
      }
      if (!isDone) await finished("cut");
      const files = differing(expected, resultsOf(folder("cut")));
      if (files.length > 0) figures.different.push({ run, files });
      figures.left_over.push(...leftOvers(folder("cut")));
      say(
        `run ${figures.runs}: ${figures.kills} of ${count} kills, ${files.length === 0 ? "equal to the bit" : `differs in ${files.join(", ")}`}`,
        figures,
      );
    }
    return figures;
  } finally {
    ["whole", "cut"].forEach(clear);
  }
}

async function main(): Promise<void> {
  const [count, seed] = [option("--count", 100), option("--seed", 1)];
  const figures = await killRuns(count, seed, (line, so) => {
    process.stdout.write(`${line}\n`);
    report("kill", { asked: count, seed, ...so }); // what was found so far, should this be stopped
  });
  process.exitCode = figures.different.length + figures.left_over.length > 0 ? 1 : 0;
}

if (require.main === module) void main();
