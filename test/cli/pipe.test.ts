/** A reader that goes away, as `| head` does. */
import { spawn } from "node:child_process";
import * as path from "node:path";
import { expect, it } from "vitest";
import { root } from "../../tools/environment";

it("a reader that goes away is no error", async () => {
  const child = spawn(process.execPath, ["--import", "tsx", path.join(root, "cli/fine-r1.ts"), "run", "--help"], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.destroy(); // before anything is written
  let said = "";
  child.stderr.on("data", (data: Buffer) => (said += data.toString()));
  expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
  expect(said).toBe("");
});
