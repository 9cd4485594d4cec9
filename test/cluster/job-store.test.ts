/** Files of a job in a store: the Python side's own tests, and the two sides together where Ray's Python is there. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { openJobStore } from "../../lib/cluster/job-store";
import type { Plan } from "../../lib/cluster/plan";
import { repositoryRoot } from "../../lib/util/root";
import { venvPython } from "../../tools/environment";

const rayPython = path.join(repositoryRoot(), ".venv-ray/bin/python");
const hasFsspec = spawnSync(rayPython, ["-c", "import fsspec"]).status === 0;

describe("store.py", () => {
  it.each([
    ["a store in memory", venvPython, true],
    ["fsspec", rayPython, hasFsspec],
  ])("keeps what it says, on %s", (_, python, isThere) => {
    if (!isThere) return;
    const file = path.join(__dirname, "store_test.py");
    const { status, stderr } = spawnSync(python, ["-B", file], { encoding: "utf8", timeout: 120_000 });
    expect(stderr).toMatch(/Ran 42 tests/);
    expect(status, stderr).toBe(0);
  });
});

/** A checkout of the code without results, in which a task runs as on a node. */
function checkout(folder: string, name: string): string {
  const root = path.join(folder, name);
  mkdirSync(path.join(root, "data/runs"), { recursive: true });
  for (const part of ["lib", ".venv-ray"]) symlinkSync(path.join(repositoryRoot(), part), path.join(root, part));
  return root;
}

const TASK = `
import json, os, sys
sys.path.insert(0, sys.argv[1])
import store_task
plan = json.loads(sys.argv[2])
def command():
    folder = os.path.join(plan["root"], "data/runs/r")
    assert open(os.path.join(folder, "settings.json")).read() == "{}"
    assert open(os.path.join(plan["root"], "data/runs/m/model")).read() == "base"
    os.makedirs(os.path.join(folder, "models"))
    open(os.path.join(folder, "models/sft"), "w").write("weights")
    return {"code": 0, "tail": []}
print(json.dumps(store_task.run(plan, plan["tasks"][0], 1, print, command)))
`;

describe.skipIf(!hasFsspec)("a job with a store", () => {
  let folder = "";
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("takes what is here to a node, and brings what the node made; then the store is empty", async () => {
    folder = mkdtempSync(path.join(tmpdir(), "fine-r1-store-"));
    const [here, there] = [checkout(folder, "here"), checkout(folder, "there")];
    const runs = path.join(here, "data/runs");
    for (const [name, text] of [
      ["r/settings.json", "{}"],
      ["m/model", "base"],
    ]) {
      mkdirSync(path.dirname(path.join(runs, name)), { recursive: true });
      writeFileSync(path.join(runs, name), text);
    }
    const url = `file://${path.join(folder, "store")}`;
    const store = openJobStore(here, { url, tops: ["r", "m"], every: 60 });
    const limits = { cpus: 1, gpus: 0, retries: 0, wait: 0, env: {}, node: "node", cwd: there, locks: there };
    const tasks = [{ id: "sft", args: [], after: [], writes: ["r/models/*"] }];
    const plan: Plan = { ...limits, root: there, store: store.told, tasks };
    expect(await store.begin(plan, false)).toEqual([]);
    const told = JSON.parse(readFileSync(new URL(store.plan), "utf8")) as Plan;
    expect(told).toEqual(plan);
    const words = ["-B", "-c", TASK, path.join(repositoryRoot(), "lib/cluster"), JSON.stringify(told)];
    const { stdout, stderr } = spawnSync(rayPython, words, { encoding: "utf8" });
    expect(JSON.parse(stdout || stderr)).toEqual({ code: 0, tail: [] });
    expect(await store.collect(plan)).toMatchObject({ fetched: 1, moved: [] });
    expect(readFileSync(path.join(runs, "r/models/sft"), "utf8")).toBe("weights");
    await store.end();
    expect(existsSync(new URL(store.told.url))).toBe(false);
  });

  it("says what is wrong with a store, and where", async () => {
    folder = mkdtempSync(path.join(tmpdir(), "fine-r1-store-"));
    writeFileSync(path.join(folder, "file"), "");
    const here = checkout(folder, "here");
    mkdirSync(path.join(here, "data/runs/r"));
    writeFileSync(path.join(here, "data/runs/r/x"), "x");
    const store = openJobStore(here, { url: `file://${folder}/file`, tops: ["r"], every: 60 });
    await expect(store.begin({ tasks: [], store: store.told } as unknown as Plan, false)).rejects.toThrow(
      /^file:\/\/.*: cannot be (listed|written): .*; can .* use it\?$/,
    );
  });
});
