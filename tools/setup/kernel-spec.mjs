/**
 * Set-up step: the notebook kernel's spec in .venv. JupyterLab finds the committed one through JUPYTER_PATH; VS Code
 * looks into the Python environments of a folder instead, and fills in `{connection_file}` alone, so this one names its
 * files in full.
 */
import fs from "node:fs";
import path from "node:path";
import { readJson, readText, writeFile } from "./steps.mjs";

const NAME = "tslab-fine-r1";

const specFile = (root) => path.join(root, ".venv/share/jupyter/kernels", NAME, "kernel.json");
const source = (root) => path.join(root, "jupyter/kernels", NAME);

/** The committed spec with this Node and this clone's folders, as text. */
export function kernelSpec(root, node = process.execPath) {
  const spec = readJson(path.join(source(root), "kernel.json"));
  const full = (text) => text.replace("{resource_dir}/../..", path.join(root, "jupyter"));
  const argv = [node, ...spec.argv.slice(1).map(full)];
  return `${JSON.stringify({ ...spec, argv, env: { ...spec.env, TF_CPP_MIN_LOG_LEVEL: "3" } }, null, 2)}\n`;
}

export const kernelSpecStep = {
  name: "kernel",
  title: "Notebook kernel",
  after: ["python"],
  isDone: ({ root }) => readText(specFile(root)) === kernelSpec(root),
  async run({ root }) {
    writeFile(specFile(root), kernelSpec(root));
    for (const name of fs.readdirSync(source(root)).filter((one) => one.startsWith("logo-")))
      fs.copyFileSync(path.join(source(root), name), path.join(path.dirname(specFile(root)), name));
  },
};
