/**
 * Set-up step: the image addon (`native/`), one g++ call. Kept apart from TensorFlow's: it loads without TensorFlow, an
 * edit of one rebuilds that one, and what is patched stays what was published. It holds code for several instruction sets and takes
 * the best when it is loaded, so it runs on any x86-64 processor.
 */
import fs from "node:fs";
import path from "node:path";
import { hash, readJson, readText, run, writeFile } from "./steps.mjs";

const addonFile = (root) => path.join(root, ".setup/image/image.node");
const stampFile = (root) => path.join(root, ".setup/image/stamp.json");

/** Files of the addon, headers too. */
const sources = (root) => fs.readdirSync(path.join(root, "native")).sort().map((name) => path.join(root, "native", name));

/** Arguments of the g++ call. No fused multiply-add: the weights must be those of Pillow to the bit. */
export function compilerArguments({ root, output }) {
  return [
    "-O3", "-std=c++17", "-fPIC", "-shared", "-fvisibility=hidden", "-ffp-contract=off", "-Wall", "-Wextra", "-DNAPI_VERSION=8",
    "-I", path.join(root, "node_modules/node-api-headers/include"),
    ...sources(root).filter((file) => file.endsWith(".cc")),
    "-o", output,
  ];
}

const inputs = (root) => hash(...[...sources(root), path.join(root, "scripts/setup/image-addon.mjs")].map((file) => readText(file) || ""));

export const imageAddonStep = {
  title: "image addon",
  isDone({ root, native }) {
    if (!native) return true;
    const stamp = readJson(stampFile(root));
    return stamp !== null && stamp.inputs === inputs(root) && fs.existsSync(addonFile(root));
  },
  async run({ root, log }) {
    const output = `${addonFile(root)}.${process.pid}.tmp`;
    fs.mkdirSync(path.dirname(output), { recursive: true });
    try {
      await run("g++", compilerArguments({ root, output }), { cwd: root, log: log("image-addon") });
      fs.renameSync(output, addonFile(root));
    } finally {
      fs.rmSync(output, { force: true });
    }
    writeFile(stampFile(root), JSON.stringify({ inputs: inputs(root) }));
  },
};
