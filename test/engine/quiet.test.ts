/** What loading TensorFlow writes to a terminal: nothing, unless it is asked for. */
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { isNative } from "../../lib/engine/tensorflow";
import { root } from "../../tools/environment";

/** What a process writes to stderr that loads the engine and multiplies two matrices. */
function written(level: string | undefined): string {
  const script = `import("./lib/engine/tensorflow.ts").then((module) => {
    const { tf } = module.tf ? module : module.default;
    tf.matMul(tf.ones([8, 8]), tf.ones([8, 8])).dataSync();
  });`;
  const { status, stderr } = spawnSync(process.execPath, ["--import", "tsx", "-e", script], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: level, TF_ENABLE_ONEDNN_OPTS: "1" },
  });
  expect(status).toBe(0);
  return stderr;
}

describe.skipIf(!isNative)("loading TensorFlow", () => {
  it("logs nothing", () => expect(written(undefined)).toBe(""));
  it("logs what TF_CPP_MIN_LOG_LEVEL=0 asks for", () =>
    expect(written("0")).toMatch(/oneDNN custom operations are on/));
});
