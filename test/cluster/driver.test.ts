/** The driver's own tests are in Python (`driver_test.py`); they need no Ray. */
import { spawnSync } from "node:child_process";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { eventText } from "../../lib/cluster/state";
import { parseLog } from "../../lib/cluster/messages";
import { venvPython } from "../../tools/environment";

const python = (...args: string[]) => spawnSync(venvPython, ["-B", ...args], { encoding: "utf8", timeout: 60_000 });

describe("driver.py", () => {
  it("starts tasks, starts again what died, and gives its locks back", () => {
    const { status, stderr } = python(path.join(__dirname, "driver_test.py"), "-v");
    expect(stderr).toMatch(/Ran 16 tests/);
    expect(status).toBe(0);
  });

  it("says nothing that is not understood here", () => {
    const script = `
import sys; sys.path[:0] = [${JSON.stringify(path.join(__dirname, "../../lib/cluster"))}, ${JSON.stringify(__dirname)}]
import driver, driver_test as t
driver.say("cluster", nodes=1, cpus=2.0, gpus=0)
driver.say("refused", reason="r")
driver.say("waiting", reason="w")
tasks = [t.task("a"), t.task("b"), t.task("c", "b")]
c = t.FakeCluster({"a": [t.LOST, t.GOOD], "b": [("ended", {"code": 1, "tail": ["ä"]})]})
c.heard.append(("a", "progress", "half"))
driver.run_tasks({"tasks": tasks, "retries": 1}, c)`;
    const { stdout, status } = python("-c", script);
    expect(status).toBe(0);
    const { messages, others } = parseLog(stdout);
    expect(others).toEqual([]);
    expect(new Set(messages.map(({ kind }) => kind))).toEqual(
      new Set(["cluster", "waiting", "refused", "progress", "started", "retry", "done", "failed", "skipped", "end"]),
    );
    expect(messages.map(eventText)).toContain("b: failed: its command ended with exit code 1\n  ä");
  });
});
