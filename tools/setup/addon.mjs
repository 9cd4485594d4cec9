/**
 * Set-up step: the addon of @tensorflow/tfjs-node-gpu, built against the libraries of the Python wheel of TensorFlow.
 *
 * The package's own installer would download TensorFlow 2.9; the wheel holds the same C interface, 2.21. A patched copy
 * of the sources is compiled; the result is renamed into place, where the package looks for it.
 */
import fs from "node:fs";
import path from "node:path";
import { buildAddon } from "./objects.mjs";
import { applyPatch, assertPatchVersion } from "./patch.mjs";
import { sitePackages } from "./python.mjs";
import { hash, readJson, readText, StepError, writeFile } from "./steps.mjs";
import { patch } from "./tfjs-node-function.patch.mjs";

const packageFolder = (root) => path.join(root, "node_modules", patch.package);
const addonFile = (root) => path.join(packageFolder(root), "lib/napi-v8/tfjs_binding.node");
const stampFile = (root) => path.join(packageFolder(root), "lib/napi-v8/fine-r1.json");

/**
 * CUDA libraries which TensorFlow opens by name; a wheel's own search path is not inherited, so the addon names them.
 */
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

/** Where the patched sources are, relative to the clone. */
const SOURCES = ".setup/addon/binding";

/** Its C++ files, one object each. */
export function units(root) {
  const include = path.join(path.relative(root, sitePackages(root)), "tensorflow/include");
  const paths = ["node_modules/node-api-headers/include", include, SOURCES];
  const flags = ["-O2", "-std=c++17", "-fPIC", "-w", "-DNAPI_VERSION=8", ...paths.flatMap((folder) => ["-I", folder])];
  const files = fs.readdirSync(path.join(root, SOURCES)).sort();
  const pathsOf = (names) => names.map((name) => path.join(SOURCES, name));
  const lock = readJson(path.join(root, "package-lock.json"));
  return pathsOf(files.filter((name) => name.endsWith(".cc"))).map((source) => ({
    name: path.basename(source, ".cc"),
    sources: [source],
    headers: pathsOf(files.filter((name) => !name.endsWith(".cc"))),
    flags,
    depends: [tensorflowLine(root), String(lock?.packages["node_modules/node-api-headers"]?.version)],
    cost: 4,
  }));
}

/** Where the addon finds the libraries that it is loaded with. */
function links(root, device) {
  const site = sitePackages(root);
  return [
    `-Wl,-rpath,${path.join(site, "tensorflow")}`,
    "-Wl,-z,initfirst", // its constructor runs before those of TensorFlow's libraries, which log
    ...(device === "gpu" ? cudaArguments(site) : []),
  ];
}

const tensorflowLine = (root) =>
  (readText(path.join(root, "requirements.txt")) ?? "").match(/^tensorflow-cpu==\S+/m)?.[0] ?? "";

const inputs = (root, device) => {
  const code = ["addon.mjs", "objects.mjs"].map((name) => readText(path.join(root, "tools/setup", name)) ?? "");
  return hash(root, device, sitePackages(root) || "", tensorflowLine(root), JSON.stringify(patch), ...code);
};

/** Writes the package's C++ sources, patched, into a fresh folder. */
export function writePatchedSources(packagePath, folder) {
  const description = readJson(path.join(packagePath, "package.json"));
  if (description === null) {
    throw new Error(`${packagePath} has no package.json: remove node_modules and run the command again`);
  }
  assertPatchVersion(patch, description.version);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  for (const name of fs.readdirSync(path.join(packagePath, "binding"))) {
    const source = fs.readFileSync(path.join(packagePath, "binding", name), "utf8");
    const file = patch.files.find((entry) => entry.path === `binding/${name}`);
    fs.writeFileSync(path.join(folder, name), file ? applyPatch(file, source) : source);
  }
}

export const addonStep = {
  name: "addon",
  title: "TensorFlow addon",
  after: ["npm", "python"],
  isDone({ root, device, native }) {
    if (!native) return true;
    const stamp = readJson(stampFile(root));
    return stamp !== null && stamp.inputs === inputs(root, device) && fs.existsSync(addonFile(root));
  },
  async run({ root, device, log }) {
    const file = log("addon");
    try {
      writePatchedSources(packageFolder(root), path.join(root, SOURCES));
    } catch (error) {
      throw new StepError(error.message, file);
    }
    await buildAddon({
      root,
      folder: ".setup/addon/objects",
      units: units(root),
      needs: ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"],
      links: links(root, device),
      output: addonFile(root),
      log: file,
    });
    writeFile(stampFile(root), JSON.stringify({ inputs: inputs(root, device) }));
  },
};
