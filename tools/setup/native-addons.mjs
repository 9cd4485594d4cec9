/**
 * Set-up steps: this project's own addons (`native/`). Kept apart from the TensorFlow addon: an edit of one rebuilds
 * that one, and what is patched stays what was published. They hold code for several instruction sets and take the best
 * when they are loaded, so they run on any x86-64 processor. The kernels' code for sets that this processor lacks is
 * left out (40 s of compiling); where a clone is used on a processor that has more, set-up adds it there.
 */
import fs from "node:fs";
import path from "node:path";
import { buildAddon, compileAll, isCompiled } from "./objects.mjs";
import { OPTIONAL_SETS, wantedSets } from "./processor.mjs";
import { sitePackages } from "./python.mjs";
import { hash, readJson, readText, writeFile } from "./steps.mjs";

/** Memory is not collected below 1 GB: 5 % less time for the same object. */
const COMMON = [
  "--param",
  "ggc-min-heapsize=1000000",
  "-O3",
  "-std=c++17",
  "-fPIC",
  "-fvisibility=hidden",
  "-Wall",
  "-Wextra",
  "-DNAPI_VERSION=8",
];
const NODE = ["-I", "node_modules/node-api-headers/include"];

/** No fused multiply-add: the weights must be those of Pillow to the bit. */
const IMAGE = [...COMMON, ...NODE, "-ffp-contract=off"];

/** Loops that copy a few numbers stay loops: a call of memcpy takes longer. */
const KERNELS = [
  ...COMMON,
  "-fopenmp-simd",
  "-fno-math-errno",
  "-fno-trapping-math",
  "-fno-tree-loop-distribute-patterns",
];

const tensorflow = (root) => path.join(sitePackages(root) ?? path.join(root, ".venv"), "tensorflow");

/** For ops of TensorFlow: the headers of the wheel. */
const ops = (root) => [
  "-DEIGEN_MAX_ALIGN_BYTES=64",
  "-D_GLIBCXX_USE_CXX11_ABI=1",
  "-isystem",
  path.join(path.relative(root, tensorflow(root)), "include"),
];

/** Files of `native/<name>`, relative to the clone: those that are compiled, and those that they include. */
function filesOf(root, name) {
  const all = fs.readdirSync(path.join(root, "native", name)).sort();
  const files = all.map((file) => path.join("native", name, file));
  return {
    sources: files.filter((file) => file.endsWith(".cc")),
    headers: files.filter((file) => !file.endsWith(".cc")),
  };
}

const baseName = (file) => path.basename(file, ".cc");

/** The unit of one file. @param cost seconds */
const unitOf = (source, headers, { flags, depends = [], cost = 1 }) => ({
  name: baseName(source),
  sources: [source],
  headers,
  flags,
  depends,
  cost,
});

/** Versions of what comes from npm and PyPI, which objects and addons depend on. */
const packages = (root) => ({
  node: String(readJson(path.join(root, "package-lock.json"))?.packages["node_modules/node-api-headers"]?.version),
  tensorflow: (readText(path.join(root, "requirements.txt")) ?? "").match(/^tensorflow-cpu==\S+/m)?.[0] ?? "",
});

function imageUnits(root) {
  const { sources, headers } = filesOf(root, "image");
  const depends = [packages(root).node];
  return sources.map((source) => unitOf(source, headers, { flags: IMAGE, depends, cost: 2 }));
}

/** Seconds of the files that take long: all kernels for one instruction set each. */
const SECONDS = { avx512: 35, avx2: 25, generic: 22, amx: 5 };

/**
 * Units of the kernels that need neither npm's nor Python's packages.
 *
 * @param {string[]} sets those of OPTIONAL_SETS which code is compiled for; of the others there is a mere name
 */
function setUnits(root, sets) {
  const { sources, headers } = filesOf(root, "kernels");
  const isAbsent = (name) => OPTIONAL_SETS.includes(name) && !sets.includes(name);
  const own = sources.filter((source) => baseName(source) !== "addon" && !baseName(source).endsWith("-ops"));
  return own.map((source) => {
    const name = baseName(source);
    if (!isAbsent(name)) return unitOf(source, headers, { flags: KERNELS, cost: SECONDS[name] ?? 1 });
    return { ...unitOf(`tools/setup/absent/${name}.cc`, headers, { flags: KERNELS }), name: `${name}-absent` };
  });
}

/** All ops of TensorFlow, as one file: they need its headers, which come with Python's packages. */
function opUnits(root) {
  const { sources, headers } = filesOf(root, "kernels");
  const own = sources.filter((source) => baseName(source).endsWith("-ops"));
  const flags = [...KERNELS, ...ops(root)];
  const unit = { name: "ops", sources: own, headers, flags, depends: [packages(root).tensorflow], cost: 20 };
  return own.length > 0 ? [unit] : [];
}

/** What Node loads: it needs npm's packages. */
function nodeUnits(root) {
  const { sources, headers } = filesOf(root, "kernels");
  const own = sources.filter((source) => baseName(source) === "addon");
  const depends = [packages(root).node];
  return own.map((source) => unitOf(source, headers, { flags: [...KERNELS, ...NODE], depends }));
}

/**
 * A step that builds `native/<name>` into `.setup/<name>/<name>.node`.
 *
 * @param {{title: string, name: string, after: string[], units: (root: string) => import("./objects.mjs").Unit[],
 * needs?: string[], links?: (root: string) => string[], depends?: (root: string) => string[], parts?: () => string[]}}
 * options `needs`: libraries that it is loaded with; `links`: more arguments of the linker; `depends`: what its result
 * depends on, besides the files of the folder and the code of set-up; `parts`: what must be in it, where it may hold
 * more
 */
function addonStep({ title, name, after, units, needs = [], links = () => [], depends = () => [], parts = () => [] }) {
  const folder = `.setup/${name}/objects`;
  const addonFile = (root) => path.join(root, `.setup/${name}/${name}.node`);
  const stampFile = (root) => path.join(root, `.setup/${name}/stamp.json`);
  const inputs = (root) => {
    const { sources, headers } = filesOf(root, name);
    const code = ["tools/setup/native-addons.mjs", "tools/setup/objects.mjs"];
    const texts = [...sources, ...headers, ...code].map((file) => readText(path.join(root, file)) ?? "");
    return hash(...texts, ...depends(root));
  };
  return {
    name,
    title,
    after,
    units,
    folder,
    inputs,
    isDone({ root, native }) {
      if (!native) return true;
      const stamp = readJson(stampFile(root));
      if (stamp === null || stamp.inputs !== inputs(root) || !fs.existsSync(addonFile(root))) return false;
      return parts().every((part) => stamp.parts.includes(part));
    },
    async run({ root, log }) {
      const output = addonFile(root);
      await buildAddon({ root, folder, units: units(root), needs, links: links(root), output, log: log(name) });
      writeFile(stampFile(root), JSON.stringify({ inputs: inputs(root), parts: parts() }));
    },
  };
}

export const imageAddonStep = addonStep({ title: "image addon", name: "image", after: ["npm"], units: imageUnits });

export const kernelsStep = addonStep({
  title: "kernels",
  name: "kernels",
  after: ["npm", "instruction-sets", "ops"],
  units: (root, sets = wantedSets()) => [...setUnits(root, sets), ...opUnits(root), ...nodeUnits(root)],
  parts: () => wantedSets(),
  needs: ["libtensorflow_framework.so.2"],
  links: (root) => [`-Wl,-rpath,${tensorflow(root)}`],
  depends: (root) => [sitePackages(root) || "", packages(root).tensorflow],
});

/** A step that compiles some of the kernels before all that the others need is there. */
const earlyStep = ({ title, name, after, units }) => ({
  name,
  title,
  after,
  isDone: (context) =>
    kernelsStep.isDone(context) ||
    units(context.root).every((unit) => isCompiled(context.root, kernelsStep.folder, unit)),
  async run({ root, log }) {
    await compileAll({ root, folder: kernelsStep.folder, units: units(root), log: log("kernels") });
  },
});

export const instructionSetsStep = earlyStep({
  title: "kernels' instruction sets",
  name: "instruction-sets",
  after: [],
  units: (root) => setUnits(root, wantedSets()),
});

export const opsStep = earlyStep({ title: "kernels' ops", name: "ops", after: ["python"], units: opUnits });
