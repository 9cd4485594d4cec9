import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { Benchmark, Subcategory } from "../../lib/benchmark/types";
import { changeSettings, loadSettings } from "../../lib/experiment/load-settings";
import type { Settings } from "../../lib/experiment/settings";
import { runFolder } from "../../lib/experiment/run";
import { identityOf, isFresh, runStage, type Stage, type StageHome } from "../../lib/experiment/stage";
import { acquireLock, lockFile } from "../../lib/util/lock";
import { writeText } from "../../lib/util/files";
import { temporaryFolder } from "../benchmark/photographs/trees";

const root = temporaryFolder();
const folder = path.join(root, "run");
const model = path.join(root, "model");
beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(model, { recursive: true, force: true });
  mkdirSync(model);
  writeFileSync(path.join(model, "config.json"), "{}");
});

const settings = (...set: string[]): Settings =>
  loadSettings({ scale: "smoke", environment: {}, set: [`model=${model}`, ...set] });
const subcategories = ["seen", "unseen"].map((split) => ({ id: `toys/${split}`, split }) as Subcategory);
const benchmark = {
  name: "toys",
  fingerprint: "f".repeat(64),
  splitSource: "by hand",
  subcategories: ({ split }: { split?: string } = {}) =>
    subcategories.filter((one) => one.split === (split ?? one.split)),
} as unknown as Benchmark;
const home = (change: Partial<StageHome> = {}): StageHome => ({
  settings: settings(),
  benchmark,
  bf16: false,
  folder,
  ...change,
});

let made = 0;
/** A stage that writes how often it was made. */
function counting(change: Partial<Stage<string>> = {}, place = folder): Stage<string> {
  return {
    name: "count",
    target: "out/count.txt",
    settings: ["rl"],
    load: (from) => readFileSync(path.join(from, "out/count.txt"), "utf8"),
    make: () => {
      writeText(path.join(place, "out/count.txt"), String(++made));
      return Promise.resolve(String(made));
    },
    ...change,
  };
}
/** Whether a second run after a first one made the result anew. */
async function redone(second: StageHome, stage: Stage<string> = counting(), first = home()): Promise<boolean> {
  const before = await runStage(first, counting());
  return (await runStage(second, stage)) !== before;
}
const file = path.join(folder, "out/count.txt");

describe("runStage", () => {
  it("makes a result, stamps it with its identity, and loads it the next time", async () => {
    const stage = counting();
    const first = await runStage(home(), stage);
    expect(isFresh(file, identityOf(home(), stage))).toBe(true);
    expect(readFileSync(`${file}.stamp`, "utf8")).toMatch(/^[0-9a-f]{64} [0-9a-f]{64}$/);
    expect(await runStage(home(), counting())).toBe(first);
    expect(JSON.parse(readFileSync(path.join(folder, "split.json"), "utf8"))).toEqual({
      benchmark: "toys",
      source: "by hand",
      seen: ["toys/seen"],
      unseen: ["toys/unseen"],
    });
  });

  it.each<[string, () => boolean | Promise<boolean>]>([
    ["a setting that it reads", () => redone(home({ settings: settings("rl.steps=3") }))],
    ["the seed", () => redone(home({ settings: settings("seed=1") }))],
    ["the prompts", () => redone(home({ settings: changeSettings(settings(), ["prompts=tiny"]) }))],
    ["the benchmark", () => redone(home({ benchmark: { ...benchmark, fingerprint: "e".repeat(64) } }))],
    ["the precision", () => redone(home({ bf16: true }))],
    ["what else it depends on", () => redone(home(), counting({ inputs: ["x"] }))],
    ["which settings it reads", () => redone(home(), counting({ settings: ["rl", "sft"] }))],
    ["its name", () => redone(home(), counting({ name: "other" }))],
    [
      "the model's files",
      async () => {
        const before = await runStage(home(), counting());
        writeFileSync(path.join(model, "config.json"), '{"a": 1}');
        return (await runStage(home(), counting())) !== before;
      },
    ],
    [
      "a file that a setting names",
      async () => {
        const teacher = path.join(root, "teacher.json");
        const of = (text: string): Promise<string> => {
          writeFileSync(teacher, text);
          return runStage(home({ settings: settings(`teacher=${teacher}`) }), counting({ settings: ["teacher"] }));
        };
        const before = await of("[]");
        expect(await of("[]")).toBe(before);
        return (await of("[1]")) !== before;
      },
    ],
    [
      "its target, which is gone",
      async () => {
        const before = await runStage(home(), counting());
        rmSync(file);
        return (await runStage(home(), counting())) !== before;
      },
    ],
    [
      "its stamp, which is gone",
      async () => {
        const before = await runStage(home(), counting());
        rmSync(`${file}.stamp`);
        return (await runStage(home(), counting())) !== before;
      },
    ],
  ])("makes it anew where this changes: %s", async (_, check) => expect(await check()).toBe(true));

  it.each<[string, () => StageHome]>([
    ["a setting that it does not read", () => home({ settings: settings("sft.epochs=9", "eval.limit=3") })],
    ["the run's name", () => home({ settings: settings("run=other") })],
    ["how often a training is saved", () => home({ settings: settings("rl.saveSteps=7") })],
    ["where sets are, and the device's memory", () => home({ settings: settings("sets=/elsewhere", "memory=4") })],
  ])("keeps it where this changes: %s", async (_, other) => expect(await redone(other())).toBe(false));

  it("keeps it where the model lies elsewhere with the same files", async () => {
    const copy = path.join(root, "copy");
    mkdirSync(copy, { recursive: true });
    writeFileSync(path.join(copy, "config.json"), "{}");
    const other = { ...settings(), model: copy };
    expect(await redone(home({ settings: other }))).toBe(false);
  });

  it("of a run that somebody named is not replaced by that of other settings; the scale's own and hashed runs are", async () => {
    const named = (...set: string[]): StageHome => {
      const own = { ...settings(...set), run: "stage-test" };
      return home({ settings: own, folder: runFolder(own) });
    };
    const place = named().folder;
    try {
      const first = await runStage(named(), counting({}, place));
      await expect(runStage(named("rl.steps=9"), counting({}, place))).rejects.toThrow(
        /^stage-test\/out\/count\.txt is there already, made with other settings.*\(stage-test\/settings\.json has them\)/,
      );
      const fingerprint = "e".repeat(64);
      await expect(
        runStage({ ...named(), benchmark: { ...benchmark, fingerprint } }, counting({}, place)),
      ).rejects.toThrow(/other settings, data or model/);
      expect(await runStage(named("eval.limit=3"), counting({}, place))).toBe(first); // this stage does not read it
      expect(JSON.parse(readFileSync(path.join(place, "settings.json"), "utf8"))).toMatchObject({ rl: { steps: 2 } });
      // what an earlier code made is made anew
      const stamp = path.join(place, "out/count.txt.stamp");
      const [, asked] = readFileSync(stamp, "utf8").split(" ");
      writeFileSync(stamp, `${"0".repeat(64)} ${asked}`);
      expect(await runStage(named(), counting({}, place))).not.toBe(first);
    } finally {
      rmSync(place, { recursive: true });
    }
  });

  it("leaves no empty folder where making fails", async () => {
    const failing = counting({ make: () => Promise.reject(new Error("no")) });
    await expect(runStage(home(), failing)).rejects.toThrow("no");
    expect(existsSync(folder)).toBe(false);
  });

  it("overwrites nothing where making fails, and frees the lock", async () => {
    const before = await runStage(home(), counting());
    const failing = counting({ inputs: "new", make: () => Promise.reject(new Error("no disk")) });
    await expect(runStage(home(), failing)).rejects.toThrow("no disk");
    expect(readFileSync(file, "utf8")).toBe(before);
    expect(existsSync(lockFile(file))).toBe(false);
    expect(await runStage(home(), counting())).toBe(before); // its stamp is there still
    expect(await runStage(home(), counting({ inputs: "new" }))).not.toBe(before);
  });

  it("takes a result of another run that has the identity, and makes its own otherwise", async () => {
    const other = path.join(root, "other");
    rmSync(other, { recursive: true, force: true });
    const before = await runStage(home({ folder: other }), counting({}, other));
    expect(await runStage(home({ sources: [other] }), counting())).toBe(before);
    expect(existsSync(file)).toBe(false);
    const changed = home({ sources: [other], settings: settings("rl.steps=3") });
    expect(await runStage(changed, counting())).not.toBe(before);
    expect(readFileSync(path.join(other, "out/count.txt"), "utf8")).toBe(before);
  });

  it("does not make what another is making, and reads what is there meanwhile", async () => {
    const before = await runStage(home(), counting());
    const lock = acquireLock(file);
    try {
      expect(await runStage(home(), counting())).toBe(before);
      const count = made;
      await expect(runStage(home(), counting({ inputs: "new" }))).rejects.toThrow(/count\.txt is in use by/);
      expect([made, readFileSync(file, "utf8")]).toEqual([count, before]);
    } finally {
      lock.release();
    }
    expect(await runStage(home(), counting({ inputs: "new" }))).not.toBe(before);
  });

  it("leaves no stamp of the old result at a new one whose making ended half-way through", async () => {
    const before = await runStage(home(), counting());
    const halfway = counting({
      inputs: "new",
      make: (_, beforeSaving) => {
        beforeSaving();
        writeFileSync(file, "half");
        return Promise.reject(new Error("ended"));
      },
    });
    await expect(runStage(home(), halfway)).rejects.toThrow("ended");
    expect(await runStage(home(), counting())).not.toBe("half");
    expect(readFileSync(file, "utf8")).not.toBe(before);
  });

  it("holds the lock while it makes, and gives the stage its identity", async () => {
    let [locked, given] = [false, ""];
    const stage = counting({
      make: (identity, beforeSaving) => {
        [locked, given] = [existsSync(lockFile(file)), identity];
        return counting().make(identity, beforeSaving, () => undefined);
      },
    });
    await runStage(home(), stage);
    expect([locked, given, existsSync(lockFile(file))]).toEqual([true, identityOf(home(), stage), false]);
  });

  it("says on the way that another has taken the lock over", async () => {
    const words: string[] = [];
    const stage = counting({
      make: (_, __, checkHeld) => {
        checkHeld();
        words.push("held");
        const owner = JSON.parse(readFileSync(lockFile(file), "utf8")) as object;
        writeFileSync(lockFile(file), JSON.stringify({ ...owner, token: "another" }));
        checkHeld();
        return Promise.reject(new Error("never"));
      },
    });
    await expect(runStage(home(), stage)).rejects.toThrow(/has taken its lock over while this process/);
    expect(words).toEqual(["held"]);
    rmSync(lockFile(file), { force: true });
  });
});
