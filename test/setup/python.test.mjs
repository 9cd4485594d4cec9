import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pythonStep } from "../../tools/setup/python.mjs";

/** A requirements.lock of sections with a requirement each. */
const lockOf = (sections) =>
  Object.entries(sections)
    .map(([name, line]) => `# [${name}]\n${line} \\\n    --hash=sha256:${"0".repeat(64)}\n`)
    .join("\n");

let root;
let context;
let calls;

/**
 * A Python that makes an environment of itself and writes down its calls. `-m pip install` makes a uv that fails, or
 * fails itself where `uv` is null; `says` is what that uv writes.
 */
function fakePython(uv, says = "") {
  const file = path.join(root, "python3");
  const text = `#!/bin/sh
echo "python $*" >> '${calls}'
case "$*" in
  "-m venv"*)
    for last; do :; done
    mkdir -p "$last/bin" "$last/lib/python3.11/site-packages"
    cp "$0" "$last/bin/python"
    case "$*" in *--without-pip*) touch "$last/without-pip";; esac;;
  "-m pip --version") [ ! -e '${root}/.venv/without-pip' ] || [ "$(dirname "$0")" = '${root}' ];;
  "-m pip install"*--target*) ${uv === null ? "exit 1" : `mkdir -p '${root}/.setup/uv/bin'; cp '${root}/uv' '${root}/.setup/uv/bin/uv'`};;
esac
`;
  fs.writeFileSync(file, text, { mode: 0o755 });
  const body = `#!/bin/sh\n[ "$1" = --version ] && echo 'uv 1.2.3 (x)' && exit\necho "uv $*" >> '${calls}'\necho '${says}'\nexit ${uv ?? 0}\n`;
  fs.writeFileSync(path.join(root, "uv"), body, { mode: 0o755 });
  context.python = { command: file, version: "3.11.7" };
}
const said = () => fs.readFileSync(calls, "utf8").split("\n").filter(Boolean);

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-"));
  calls = path.join(root, "calls");
  fs.writeFileSync(path.join(root, "requirements.lock"), lockOf({ always: "plotly==7.1.0", uv: "uv==1.2.3" }));
  const log = (name) => path.join(root, ".setup", `${name}.log`);
  context = { root, native: false, device: "cpu", log };
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

describe("the step of the Python packages", () => {
  it("installs by uv, with pip for the user", async () => {
    fakePython(0);
    await pythonStep.run(context);
    expect(said().filter((line) => line.startsWith("uv "))).toEqual([
      `uv pip install --python ${root}/.venv/bin/python --only-binary=:all: ` +
        `--require-hashes -r ${root}/.setup/requirements.txt`,
    ]);
    expect(fs.readFileSync(path.join(root, ".setup/requirements.txt"), "utf8")).toMatch(
      /^plotly==7\.1\.0 .*\n.*0{64}\n$/,
    );
    expect(said().find((line) => line.includes("--target"))).toMatch(/--require-hashes -r .*\.setup\/uv\.txt$/);
    expect(said().filter((line) => /pip install/.test(line) && !/--target|^uv/.test(line))).toEqual([]);
    expect(pythonStep.isDone(context)).toBe(true);
  });

  it.each([
    ["fails", 2],
    ["can't be had", null],
  ])("installs by pip, into a fresh environment that holds it, where uv %s", async (_name, uv) => {
    fakePython(uv);
    await pythonStep.run(context);
    expect(
      said()
        .filter((line) => line.includes("-m venv"))
        .at(-1),
    ).toBe(`python -m venv ${root}/.venv`);
    expect(said().at(-1)).toMatch(
      /^python -m pip install .*--only-binary=:all:.* --require-hashes -r .*requirements.txt$/,
    );
    expect(pythonStep.isDone(context)).toBe(true);
  });

  it("stops, without asking pip, where a file has another hash, and says so", async () => {
    fakePython(2, "error: Hash mismatch for `plotly==7.1.0`");
    await expect(pythonStep.run(context)).rejects.toThrow(/another hash than in requirements.lock .*pip config list/);
    expect(said().filter((line) => /^python -m pip install/.test(line) && !line.includes("--target"))).toEqual([]);
    expect(pythonStep.isDone(context)).toBe(false);
  });

  it("says how to get a lock file that is not there", async () => {
    fakePython(0);
    fs.rmSync(path.join(root, "requirements.lock"));
    await expect(pythonStep.run(context)).rejects.toThrow("git checkout requirements.lock");
  });

  it("begins afresh after an interruption, and is not done before it has ended", async () => {
    fakePython(0);
    await pythonStep.run(context);
    fs.writeFileSync(path.join(root, ".venv/fine-r1.started"), "");
    fs.rmSync(path.join(root, ".venv/fine-r1.json"));
    fs.writeFileSync(path.join(root, ".venv/half"), "");
    expect(pythonStep.isDone(context)).toBe(false);
    await pythonStep.run(context);
    expect(fs.existsSync(path.join(root, ".venv/half"))).toBe(false);
    expect(pythonStep.isDone(context)).toBe(true);
  });
});
