/**
 * Set-up steps: this project's own addons (`native/`), compiled file by file, as many at a time as there are processors. Kept apart from the TensorFlow addon: an edit of one
 * rebuilds that one, and what is patched stays what was published. They hold code for several instruction sets and take the best
 * when they are loaded, so they run on any x86-64 processor.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { sitePackages } from "./python.mjs";
import { hash, readJson, readText, run, writeFile } from "./steps.mjs";

const COMMON = ["-O3", "-std=c++17", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-DNAPI_VERSION=8"];

/** No fused multiply-add: the weights must be those of Pillow to the bit. */
const imageArguments = () => ["-ffp-contract=off"];

/** Ops of TensorFlow: its headers and libraries, those of the wheel. Loops that copy a few numbers stay loops: a call of memcpy takes longer. */
function kernelArguments({ root }) {
  const tensorflow = path.join(sitePackages(root), "tensorflow");
  return [
    "-fopenmp-simd",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-tree-loop-distribute-patterns",
    "-DEIGEN_MAX_ALIGN_BYTES=64",
    "-D_GLIBCXX_USE_CXX11_ABI=1",
    "-isystem",
    path.join(tensorflow, "include"),
    "-L",
    tensorflow,
    "-l:libtensorflow_cc.so.2",
    "-l:libtensorflow_framework.so.2",
    `-Wl,-rpath,${tensorflow}`,
  ];
}

/** Runs tasks, one for each processor at a time; when all have ended, throws what the first of them to fail threw. */
async function sideBySide(tasks) {
  const waiting = [...tasks];
  const failures = [];
  const one = async () => {
    for (let task = waiting.shift(); task !== undefined && failures.length === 0; task = waiting.shift())
      await task().catch((error) => failures.push(error));
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, one));
  if (failures.length > 0) throw failures[0];
}

/** A step that builds `native/<name>` into `.setup/<name>/<name>.node`. @param more arguments of its own @param depends what else its result depends on */
function addonStep({ title, name, more, depends = () => [] }) {
  const addonFile = (root) => path.join(root, `.setup/${name}/${name}.node`);
  const stampFile = (root) => path.join(root, `.setup/${name}/stamp.json`);
  /** Files of the addon, headers too. */
  const sources = (root) =>
    fs
      .readdirSync(path.join(root, "native", name))
      .sort()
      .map((file) => path.join(root, "native", name, file));
  const inputs = (root) =>
    hash(
      ...[...sources(root), path.join(root, "tools/setup/native-addons.mjs")].map((file) => readText(file) || ""),
      ...depends(root),
    );
  const compilerArguments = ({ root, source, output }) => [
    ...COMMON,
    "-I",
    path.join(root, "node_modules/node-api-headers/include"),
    "-c",
    source,
    "-o",
    output,
    ...more({ root }),
  ];
  const linkerArguments = ({ root, objects, output }) => ["-shared", ...objects, "-o", output, ...more({ root })];
  return {
    title,
    compilerArguments,
    isDone({ root, native }) {
      if (!native) return true;
      const stamp = readJson(stampFile(root));
      return stamp !== null && stamp.inputs === inputs(root) && fs.existsSync(addonFile(root));
    },
    async run({ root, log }) {
      const directory = path.join(path.dirname(addonFile(root)), `build.${process.pid}.tmp`);
      const files = sources(root).filter((file) => file.endsWith(".cc"));
      const objects = files.map((file) => path.join(directory, `${path.basename(file)}.o`));
      const output = path.join(directory, `${name}.node`);
      fs.mkdirSync(directory, { recursive: true });
      try {
        await sideBySide(
          files.map(
            (source, i) => () =>
              run("g++", compilerArguments({ root, source, output: objects[i] }), { cwd: root, log: log(name) }),
          ),
        );
        await run("g++", linkerArguments({ root, objects, output }), { cwd: root, log: log(name) });
        fs.renameSync(output, addonFile(root));
      } finally {
        fs.rmSync(directory, { recursive: true, force: true });
      }
      writeFile(stampFile(root), JSON.stringify({ inputs: inputs(root) }));
    },
  };
}

export const imageAddonStep = addonStep({ title: "image addon", name: "image", more: imageArguments });

export const kernelsStep = addonStep({
  title: "kernels",
  name: "kernels",
  more: kernelArguments,
  depends: (root) => [sitePackages(root) || "", readText(path.join(root, "requirements.txt")) || ""],
});
