/**
 * Set-up step: the addon of @tensorflow/tfjs-node-gpu, built against the libraries of the Python wheel of TensorFlow.
 *
 * The package's own installer would download TensorFlow 2.9; the wheel holds the same C interface, 2.21. One g++ call
 * compiles a patched copy of the sources; the result is renamed into place, where the package looks for it.
 */
import fs from "node:fs";
import path from "node:path";
import { applyPatch, assertPatchVersion } from "./patch.mjs";
import { sitePackages } from "./python.mjs";
import { hash, readJson, readText, run, StepError, writeFile } from "./steps.mjs";
import { patch } from "./tfjs-node-function.patch.mjs";

const packageFolder = (root) => path.join(root, "node_modules", patch.package);
const addonFile = (root) => path.join(packageFolder(root), "lib/napi-v8/tfjs_binding.node");
const stampFile = (root) => path.join(packageFolder(root), "lib/napi-v8/fine-r1.json");

/** CUDA libraries which TensorFlow opens by name; a wheel's own search path is not inherited, so the addon names them. */
const CUDA_LIBRARIES = /^lib(cudart|cublas|cublasLt|cufft|cusolver|cusparse|cudnn|nccl|cupti|nvJitLink)\.so\.\d+$/;

/** Linker arguments that load pip's `nvidia-*` libraries together with the addon. */
export function cudaArguments(site) {
  const folder = path.join(site, "nvidia");
  if (!fs.existsSync(folder)) return [];
  const folders = fs
    .readdirSync(folder)
    .map((name) => path.join(folder, name, "lib"))
    .filter((lib) => fs.existsSync(lib));
  const files = folders.flatMap((lib) =>
    fs
      .readdirSync(lib)
      .filter((name) => CUDA_LIBRARIES.test(name))
      .map((name) => path.join(lib, name)),
  );
  return ["-Wl,--no-as-needed", ...files, ...folders.map((lib) => `-Wl,-rpath,${lib}`)];
}

/** Arguments of the one g++ call. */
export function compilerArguments({ root, device, sources, output }) {
  const site = sitePackages(root);
  const tensorflow = path.join(site, "tensorflow");
  return [
    "-O2",
    "-std=c++17",
    "-fPIC",
    "-shared",
    "-w",
    "-DNAPI_VERSION=8",
    "-I",
    path.join(root, "node_modules/node-api-headers/include"),
    "-I",
    path.join(tensorflow, "include"),
    "-I",
    path.dirname(sources),
    ...fs
      .readdirSync(sources)
      .filter((name) => name.endsWith(".cc"))
      .map((name) => path.join(sources, name)),
    "-o",
    output,
    "-L",
    tensorflow,
    "-l:libtensorflow_cc.so.2",
    "-l:libtensorflow_framework.so.2",
    `-Wl,-rpath,${tensorflow}`,
    "-Wl,-z,initfirst", // its constructor runs before those of TensorFlow's libraries, which log
    ...(device === "gpu" ? cudaArguments(site) : []),
  ];
}

const inputs = (root, device) => {
  const tensorflow = (readText(path.join(root, "requirements.txt")) || "").match(/^tensorflow-cpu==\S+/m);
  const builder = readText(path.join(root, "tools/setup/addon.mjs")) || "";
  return hash(root, device, sitePackages(root) || "", tensorflow ? tensorflow[0] : "", JSON.stringify(patch), builder);
};

/** Writes the package's C++ sources, patched, into a fresh folder. */
export function writePatchedSources(packagePath, folder) {
  const { version } = readJson(path.join(packagePath, "package.json"));
  assertPatchVersion(patch, version);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  for (const name of fs.readdirSync(path.join(packagePath, "binding"))) {
    const source = fs.readFileSync(path.join(packagePath, "binding", name), "utf8");
    const file = patch.files.find((entry) => entry.path === `binding/${name}`);
    fs.writeFileSync(path.join(folder, name), file ? applyPatch(file, source) : source);
  }
}

export const addonStep = {
  title: "TensorFlow addon",
  isDone({ root, device, native }) {
    if (!native) return true;
    const stamp = readJson(stampFile(root));
    return stamp !== null && stamp.inputs === inputs(root, device) && fs.existsSync(addonFile(root));
  },
  async run({ root, device, log }) {
    const file = log("addon");
    const sources = path.join(root, ".setup/addon/binding");
    try {
      writePatchedSources(packageFolder(root), sources);
    } catch (error) {
      throw new StepError(error.message, file);
    }
    const output = `${addonFile(root)}.${process.pid}.tmp`;
    fs.mkdirSync(path.dirname(output), { recursive: true });
    try {
      await run("g++", compilerArguments({ root, device, sources, output }), { cwd: root, log: file });
      fs.renameSync(output, addonFile(root));
    } finally {
      fs.rmSync(output, { force: true });
    }
    writeFile(stampFile(root), JSON.stringify({ inputs: inputs(root, device) }));
  },
};
