import * as path from "node:path";
import { expect, it } from "vitest";
import { modelFolder } from "../../lib/experiment/model-folder";
import { runFolder, runsFolder } from "../../lib/experiment/run";
import { repositoryRoot } from "../../lib/util/root";

it("runs live in data/runs", () => {
  expect(runFolder({ run: "x" })).toBe(path.join(repositoryRoot(), "data/runs/x"));
  expect(path.dirname(runFolder({ run: "x" }))).toBe(runsFolder());
});

it("a model's directory counts from the repository, unless it is absolute", () => {
  expect(modelFolder({ model: "models/x" })).toBe(path.join(repositoryRoot(), "models/x"));
  expect(modelFolder({ model: "/elsewhere/x" })).toBe("/elsewhere/x");
});
