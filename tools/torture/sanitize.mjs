/**
 * The C++ of native/ under AddressSanitizer and UndefinedBehaviorSanitizer: `node tools/torture/sanitize.mjs [image]
 * [kernels]` (default both). Builds the addons with them below .setup/sanitize, then runs their tests with these in
 * place of the ones that are used. A finding ends the test's process with the sanitizer's report, which is written to
 * .setup/sanitize/report.*; the exit code is 1 then. Memory that is never given back is not looked for: Node and
 * TensorFlow keep much until they end.
 */
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { imageAddonStep, kernelsStep } from "../setup/native-addons.mjs";
import { buildAddon } from "../setup/objects.mjs";
import { wantedSets } from "../setup/processor.mjs";
import { sitePackages } from "../setup/python.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const folder = path.join(root, ".setup/sanitize");
const SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"];
/** TensorFlow's headers are no constant expressions to GCC 12 where undefined behaviour is looked for. */
const ADDRESS_ALONE = ["-fno-sanitize=undefined"];
/** -O1: at -O3 the kernels take many minutes with sanitizers. Later options win. */
const FLAGS = ["-O1", "-g1", "-fno-omit-frame-pointer", ...SANITIZE];

const rpath = () => `-Wl,-rpath,${path.join(sitePackages(root), "tensorflow")}`;

/** What is built, and the tests that run it. The image addon's make the shape checks fail too. */
const ADDONS = {
  image: {
    units: () => imageAddonStep.units(root),
    needs: [],
    links: () => [],
    tests: [
      "test/processor/image-addon.test.ts",
      "test/processor/image-processor.test.ts",
      "test/fuzz/image-addon.test.ts",
    ],
  },
  kernels: {
    units: () => kernelsStep.units(root, wantedSets()),
    needs: ["libtensorflow_framework.so.2"],
    links: () => [rpath()],
    tests: ["test/engine/kernels.test.ts"],
  },
};

async function build(name) {
  const { units, needs, links } = ADDONS[name];
  const sanitized = units().map((unit) => ({
    ...unit,
    flags: [...unit.flags, ...FLAGS, ...(unit.name === "ops" ? ADDRESS_ALONE : [])],
  }));
  await buildAddon({
    root,
    folder: `.setup/sanitize/${name}-objects`,
    units: sanitized,
    needs,
    links: [...SANITIZE, ...links()],
    output: path.join(folder, `${name}.node`),
    log: path.join(folder, `${name}.log`),
  });
}

const library = (name) => execFileSync("g++", [`-print-file-name=${name}`], { encoding: "utf8" }).trim();

/** Runs the tests of an addon. @returns whether all passed and nothing was found */
function test(name) {
  fs.rmSync(path.join(folder, "reports"), { recursive: true, force: true });
  fs.mkdirSync(path.join(folder, "reports"));
  const report = path.join(folder, "reports", name);
  const { status } = spawnSync(
    process.execPath,
    ["node_modules/vitest/vitest.mjs", "run", "--maxWorkers", "1", "--testTimeout", "1800000", ...ADDONS[name].tests],
    {
      cwd: root,
      stdio: "inherit",
      env: {
        ...process.env,
        LD_PRELOAD: `${library("libasan.so")} ${library("libubsan.so")}`,
        // TensorFlow and Node are built without them: what these would say of their containers and allocators is no finding
        ASAN_OPTIONS: `detect_leaks=0:alloc_dealloc_mismatch=0:detect_container_overflow=0:detect_odr_violation=0:log_path=${report}`,
        UBSAN_OPTIONS: `print_stacktrace=1:halt_on_error=1:log_path=${report}`,
        NODE_OPTIONS: `--require ${path.join(root, "tools/torture/sanitized-addons.cjs")}`,
        FINE_R1_SANITIZED: folder,
      },
    },
  );
  const found = fs.readdirSync(path.join(folder, "reports"));
  for (const file of found) process.stdout.write(fs.readFileSync(path.join(folder, "reports", file), "utf8"));
  process.stdout.write(`${name}: tests ${status === 0 ? "passed" : "failed"}, ${found.length} reports of sanitizers\n`);
  return status === 0 && found.length === 0;
}

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(ADDONS);
const unknown = names.find((name) => !Object.hasOwn(ADDONS, name));
if (unknown !== undefined) {
  process.stderr.write(`sanitize: no addon ${unknown}; ${Object.keys(ADDONS).join(" and ")} are there\n`);
  process.exit(1);
}
fs.mkdirSync(folder, { recursive: true });
let isClean = true;
for (const name of names) {
  await build(name);
  isClean = test(name) && isClean;
}
process.exitCode = isClean ? 0 : 1;
