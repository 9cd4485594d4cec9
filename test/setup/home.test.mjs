import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { homeFolder } from "../../tools/setup/home.mjs";

let root;
beforeEach(() => (root = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-"))));
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

it("is the user's own where there is one, and one in the clone otherwise", () => {
  expect(homeFolder(root, "/home/me")).toBe("/home/me");
  expect(fs.readdirSync(root)).toEqual([]);
  expect(homeFolder(root, null)).toBe(path.join(root, ".setup/home"));
  expect(fs.statSync(path.join(root, ".setup/home")).isDirectory()).toBe(true);
});

it.each([
  ["can be written", (folder) => folder, true],
  ["is not there", (folder) => path.join(folder, "absent"), false],
])("asks whether the user's %s", (_name, homeOf, own) => {
  const module = path.resolve("tools/setup/home.mjs");
  const code = `import("${module}").then(({ homeFolder }) => console.log(homeFolder(${JSON.stringify(root)})))`;
  const HOME = homeOf(root);
  const said = spawnSync(process.execPath, ["-e", code], { encoding: "utf8", env: { HOME } });
  expect(said.stdout.trim(), said.stderr).toBe(own ? HOME : path.join(root, ".setup/home"));
});
