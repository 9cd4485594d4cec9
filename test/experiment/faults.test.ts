/** A small TAPO run on a disk that fails, in a folder of another, and with few file handles: each in a process. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import * as path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { checkpointSteps } from "../../lib/train/training-state";
import { root } from "../../tools/environment";
import { faultEnvironment, faultLibrary, type Fault } from "../../tools/torture/fault";
import { runChild } from "../../tools/torture/killed";
import { leftOvers, resultsOf } from "../../tools/torture/leavings";
import { writePictures } from "../../tools/torture/miniature";
import { cutWrites, killAtWrites, SHORT } from "../../tools/torture/writes";
import { temporaryRun } from "../cli/runs";

const SCRIPT = path.join(root, "tools/torture/tapo.ts");
const library = faultLibrary();
const withFaults = "file" in library ? it : it.skip;
if ("reason" in library) process.stderr.write(`no disk that fails can be made here: ${library.reason}\n`);

const whole = temporaryRun("faults-whole");
const cut = temporaryRun("faults-cut");
const other = temporaryRun("faults-other");

const run = (name: string, fault?: Fault, env: Record<string, string> = {}) =>
  runChild(SCRIPT, [name, ...SHORT], {
    env: { ...(fault && "file" in library ? faultEnvironment(library.file, fault) : {}), ...env },
  });
/** The steps that the only training of a run's folder has checkpoints of. */
function savedSteps(folder: string): number[] {
  const found = spawnSync("sh", ["-c", "ls -d checkpoints/*"], { cwd: folder, encoding: "utf8" }).stdout.trim();
  return found === "" ? [] : checkpointSteps(path.join(folder, found));
}

beforeAll(async () => {
  await writePictures();
  expect((await run(whole.name)).code).toBe(0);
}, 300_000);

describe("a kill while a file is written", () => {
  withFaults(
    "of whatever kind, loses nothing: the next process goes on, and the last ends as one that nothing interrupted",
    async () => {
      // every second kind; `npm run torture -- writes` takes all
      const faults = cutWrites(cut.name).filter((_, i) => i % 2 === 1);
      await killAtWrites("file" in library ? library.file : "", cut.name, faults);
      expect((await run(cut.name)).code).toBe(0);
      expect(resultsOf(cut.folder)).toEqual(resultsOf(whole.folder));
      expect(leftOvers(cut.folder)).toEqual([]);
    },
    600_000,
  );
});

describe("a disk", () => {
  withFaults(
    "that fills up in the middle leaves the last checkpoint, and the error has the path; with room again all is as it would have been",
    async () => {
      rmSync(other.folder, { recursive: true, force: true });
      const atCheckpoint = await run(other.name, { do: "full", path: "checkpoint-1.", bytes: 20_000 });
      expect(atCheckpoint.code).toBe(1);
      expect(atCheckpoint.stderr).toMatch(
        /checkpoint after step 1 was not saved: .*checkpoints\/tapo-.*\.safetensors: cannot be written: the disk is full; there was none before/,
      );
      const atModel = await run(other.name, { do: "full", path: "models/tapo.", bytes: 10_000 });
      expect(atModel.code).toBe(1);
      expect(atModel.stderr).toMatch(/models\/tapo\..*: cannot be written: the disk is full/);
      expect(savedSteps(other.folder)).toEqual([1]);
      expect((await run(other.name)).code).toBe(0);
      expect(resultsOf(other.folder)).toEqual(resultsOf(whole.folder));
    },
    600_000,
  );

  withFaults("with too little room is refused before the training, with numbers", async () => {
    rmSync(other.folder, { recursive: true, force: true });
    const fault: Fault = { do: "full", path: "nothing is called so" };
    const { code, last, stderr } = await run(other.name, fault, { FAULT_FREE: "4096000" });
    expect([code, last]).toEqual([1, "open"]);
    expect(stderr).toMatch(/0\.02 GiB are needed on this disk, 0\.00 GiB are free: \d checkpoints of/);
    expect(existsSync(path.join(other.folder, "models"))).toBe(false);
  });

  withFaults("that is read-only is named", async () => {
    rmSync(other.folder, { recursive: true, force: true });
    const { code, stderr } = await run(other.name, { do: "readonly", path: `data/runs/${other.name}` });
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`data/runs/${other.name}.*read-only`));
  });
});

describe("a run", () => {
  it("does not enter a folder that another is training in; that one's checkpoints and results stay", async () => {
    rmSync(other.folder, { recursive: true, force: true });
    let second: ReturnType<typeof run> | null = null;
    const first = await runChild(SCRIPT, [other.name, ...SHORT], {
      onLine: (line) => {
        if (line.startsWith("sampling")) second ??= run(other.name);
      },
    });
    const refused = await (second as ReturnType<typeof run> | null)!;
    expect(first.code).toBe(0);
    // it may have come so late that the result was there; then it used that
    if (refused.code !== 0) {
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(
        /models\/tapo is in use by process \d+ on \S+, since \d{4}-\d\d-\d\dT.*; wait for it/,
      );
    }
    expect(resultsOf(other.folder)).toEqual(resultsOf(whole.folder));
  }, 300_000);

  it("does with 64 file handles", () => {
    rmSync(other.folder, { recursive: true, force: true });
    const command = `ulimit -n 64; exec "${process.execPath}" --import tsx "${SCRIPT}" ${other.name} ${SHORT.join(" ")}`;
    const { status, stderr } = spawnSync("bash", ["-c", command], { cwd: root, encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
    expect(resultsOf(other.folder)).toEqual(resultsOf(whole.folder));
    expect(readFileSync(path.join(other.folder, "logs/tapo.jsonl"), "utf8").trimEnd().split("\n")).toHaveLength(2);
  }, 300_000);
});
