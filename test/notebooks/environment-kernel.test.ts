/**
 * The kernel as VS Code finds and starts it: the spec in .venv, `{connection_file}` alone filled in, any folder to work
 * in, no Node on the path. Assumes that set-up is done.
 */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { expect, it } from "vitest";
import { root, venvPython } from "../../tools/environment";

it("a kernel of the Python environment runs a cell that imports lib", { timeout: 240_000 }, () => {
  const file = path.join(root, ".venv/share/jupyter/kernels/tslab-fine-r1/kernel.json");
  const spec = JSON.parse(fs.readFileSync(file, "utf8")) as { argv: string[]; display_name: string };
  expect(spec.argv.join(" ")).not.toMatch(/\{(?!connection_file\})/);
  expect(spec.display_name).toBe("TypeScript (Fine-R1)");
  const script = `
import json, os, nbformat
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
assert KernelSpecManager().get_kernel_spec("tslab-fine-r1").resource_dir == ${JSON.stringify(path.dirname(file))}
cell = 'import { random } from "./lib/util/random"; process.cwd() + random(1).integer(1)'
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
NotebookClient(notebook, kernel_name="tslab-fine-r1", resources={"metadata": {"path": "/"}}).execute()
print(notebook.cells[0].outputs[0]["data"]["text/plain"])
`;
  const { stdout, stderr } = spawnSync(venvPython, ["-c", script], {
    cwd: "/",
    env: { HOME: path.join(root, ".setup"), PATH: "/nonexistent" },
    encoding: "utf8",
    timeout: 200_000,
  });
  expect(stdout.trim(), stderr).toBe(`${root}0`);
});
