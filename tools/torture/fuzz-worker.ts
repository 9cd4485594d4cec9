/**
 * One kind of `fuzz.ts`, in a process of its own that may be killed: it says which input it begins and what came of it.
 * Arguments: kind, seed, first input, how many.
 */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { inputAt } from "../../test/fuzz/inputs";
import { judge, type Verdict } from "../../test/fuzz/judge";
import { TARGETS } from "../../test/fuzz/targets";

/** What the worker tells. */
export type Word = { begin: number } | { end: number; verdict: Verdict; peakBytes: number };

/** Good and lightly changed inputs that are read before memory is looked at: what is loaded once is loaded then. */
const WARM_UP = 40;

/** Most resident memory of this process so far, bytes. */
const peakBytes = (): number => process.resourceUsage().maxRSS * 1024;

async function work([kind, seed, first, count]: readonly string[]): Promise<void> {
  const tell = (word: Word): Promise<void> =>
    new Promise(
      (resolve, reject) => void process.send!(word, (error: Error | null) => (error ? reject(error) : resolve())),
    );
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-fuzz-"));
  try {
    const shared = path.join(home, "shared");
    fs.mkdirSync(shared);
    const target = await TARGETS[kind](shared);
    const folder = path.join(home, "input");
    for (let i = 0; i < WARM_UP; i++) await judge(target, inputAt(target, kind, Number(seed), -1 - i), folder);
    const [from, to] = [Number(first), Number(first) + Number(count)];
    await tell({ end: from - 1, verdict: { loaded: true, problem: null }, peakBytes: peakBytes() });
    for (let i = from; i < to; i++) {
      const input = inputAt(target, kind, Number(seed), i);
      await tell({ begin: i });
      const verdict = await judge(target, input, folder);
      await tell({ end: i, verdict, peakBytes: peakBytes() });
    }
  } finally {
    fs.rmSync(home, { recursive: true, force: true });
  }
}

process.on("disconnect", () => process.exit()); // who watches it has ended

void work(process.argv.slice(2)).then(
  () => process.disconnect(),
  (error: unknown) => {
    process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
    process.exit(1);
  },
);
