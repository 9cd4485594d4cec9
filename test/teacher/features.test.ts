/** The reader of a teacher's weights has its tests in Python (`features_test.py`). */
import { spawnSync } from "node:child_process";
import * as path from "node:path";
import { expect, it } from "vitest";
import { venvPython } from "../../tools/environment";

it("features.py reads tensors and nothing else, within their storage", () => {
  const args = ["-B", path.join(__dirname, "features_test.py"), "-v"];
  const { status, stderr } = spawnSync(venvPython, args, { encoding: "utf8", timeout: 60_000 });
  expect(stderr).toMatch(/Ran [1-9]\d* tests in [\d.]+s\s+OK/);
  expect(status).toBe(0);
});
