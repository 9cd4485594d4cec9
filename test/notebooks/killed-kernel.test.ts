/** A training in a cell whose kernel is killed: the same cell, run again in a new kernel, ends as it would have. */
import * as path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { root } from "../../tools/environment";
import { runChild } from "../../tools/torture/killed";
import { leftOvers, resultsOf } from "../../tools/torture/leavings";
import { miniatureSource, writePictures } from "../../tools/torture/miniature";
import { temporaryRun } from "../cli/runs";
import { drive, type CellResult } from "./drive";

const whole = temporaryRun("cell-whole");
const cut = temporaryRun("cell-cut");
const SHORT = ["rl.steps=3", "eval.limit=4"];

const cell = `
import { disposeTree, evaluate, loadSettings, openExperiment, rlModel } from "./lib";
const experiment = await openExperiment(loadSettings(${JSON.stringify(miniatureSource(cut.name, ...SHORT))}));
const { params } = await rlModel(experiment, "tapo", { onProgress: (done, _, note) => console.log(done, note) });
disposeTree(params);
console.log((await evaluate(experiment, "tapo")).length, "answers");
experiment.close();
`;

beforeAll(async () => {
  await writePictures();
  const { code, stderr } = await runChild(path.join(root, "tools/torture/tapo.ts"), [whole.name, ...SHORT]);
  expect([code, stderr]).toEqual([0, ""]);
}, 300_000);

describe("a cell whose kernel is killed by SIGKILL", () => {
  it("goes on from the last checkpoint when it is run again, and leaves what an uninterrupted one leaves", async () => {
    const [first, [second]] = (await drive([{ kill: cell, when: "1 sampling" }, { cells: [{ code: cell }] }])) as [
      CellResult,
      CellResult[],
    ];
    expect(first.text).toMatch(/^1 sampling/m);
    expect(first.text).not.toMatch(/answers/);
    expect([second.status, second.evalue]).toEqual(["ok", ""]);
    expect(second.text).toMatch(/tapo: goes on after step [12] of 3/);
    expect(second.text).toMatch(/\d+ answers/);
    expect(resultsOf(cut.folder)).toEqual(resultsOf(whole.folder));
    expect(leftOvers(cut.folder)).toEqual([]);
  }, 400_000);
});
