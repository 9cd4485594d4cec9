import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { chosenGroups, openSavedGroups, readSavedGroups, savedGroups } from "../../lib/experiment/saved-groups";
import type { Group } from "../../lib/rollout/groups";
import { temporaryFolder } from "../benchmark/photographs/trees";

const folder = temporaryFolder();

const group = (name: string, kept = true): Group => ({
  prompt: {
    anchor: name,
    positive: "p",
    negative: "n",
    user: "Which?",
    groundTruth: "x",
    options: null,
    domainNames: [],
  },
  augmentationSeeds: [1, 2, 3],
  rollouts: [
    {
      tokenIds: [1],
      logProbs: [-0.123456789],
      text: "x",
      source: "anchor",
      reward: { overall: 1, accuracy: 1, format: 1 },
      lists: false,
      finished: true,
    },
  ],
  advantages: [0],
  kept,
});
const anchors = (file: string): [number, string][] =>
  readSavedGroups(file).map(({ step, group: { prompt } }) => [step, prompt.anchor]);

describe("saved groups", () => {
  it("are two of a step, those that dynamic sampling kept before the others", () => {
    const all = [group("a", false), group("b"), group("c", false), group("d")];
    expect(chosenGroups(all).map(({ prompt }) => prompt.anchor)).toEqual(["b", "d"]);
    expect(chosenGroups(all.slice(0, 3)).map(({ prompt }) => prompt.anchor)).toEqual(["b", "a"]);
    expect(chosenGroups([])).toEqual([]);
  });

  it("of steps made again after a checkpoint take the place of those before; a new training begins a new file", () => {
    const file = path.join(folder, "rollouts", "tapo.jsonl");
    const first = openSavedGroups(file, 0);
    first(1, [group("a"), group("b")]);
    first(2, [group("c")]);
    fs.appendFileSync(file, '{"step":3,"pl'); // killed while it wrote
    const second = openSavedGroups(file, 1);
    second(2, [group("d"), group("e")]);
    expect(fs.readFileSync(file, "utf8")).not.toContain('"anchor":"c"'); // as if nothing had been interrupted
    expect(anchors(file)).toEqual([
      [1, "a"],
      [1, "b"],
      [2, "d"],
      [2, "e"],
    ]);
    expect(savedGroups({ folder }, "tapo")[0].group.rollouts[0].logProbs).toEqual([-0.123457]);
    openSavedGroups(file, 0)(1, [group("z")]);
    expect(anchors(file)).toEqual([[1, "z"]]);
  });

  it("are none where the run has none", () => {
    expect(savedGroups({ folder }, "cls-rl")).toEqual([]);
  });
});
