import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { spawnSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { buildAddon, compilerArguments } from "../../tools/setup/objects.mjs";
import { OPTIONAL_SETS, wantedSets } from "../../tools/setup/processor.mjs";
import { imageAddonStep, instructionSetsStep, kernelsStep, opsStep } from "../../tools/setup/native-addons.mjs";

const root = path.join(import.meta.dirname, "../..");
let clone;
let home;
let context;
const source = (name, text) => fs.writeFileSync(path.join(clone, "native/image", name), text);
beforeEach(() => {
  clone = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-"));
  fs.mkdirSync(path.join(clone, "native/image"), { recursive: true });
  source("one.cc", '#include "one.h"\nint one() { return ONE; }\n');
  source("one.h", "#define ONE 1\n");
  home = process.env.FINE_R1_HOME;
  process.env.FINE_R1_HOME = path.join(clone, "home");
  context = { root: clone, native: true, log: (name) => path.join(clone, ".setup", `${name}.log`) };
});
afterEach(() => {
  if (home === undefined) delete process.env.FINE_R1_HOME;
  else process.env.FINE_R1_HOME = home;
  fs.rmSync(clone, { recursive: true, force: true });
});
/** Names of the files that the compiler was called for since the last time. */
function compiled(name = "image") {
  const log = context.log(name);
  const lines = fs.existsSync(log) ? fs.readFileSync(log, "utf8").split("\n") : [];
  fs.rmSync(log, { force: true });
  return lines.flatMap((line) => line.match(/ -c \S*?(\w+)(?:\.\d+\.tmp)?\.cc /)?.[1] ?? []).sort();
}

describe("an addon's step", () => {
  it("builds once, and again after an edit of a source or a header, or where file or stamp is gone", async () => {
    const built = async () => {
      expect(imageAddonStep.isDone(context)).toBe(false);
      await imageAddonStep.run(context);
      expect(imageAddonStep.isDone(context)).toBe(true);
    };
    await built();
    source("one.h", "#define ONE 2\n");
    await built();
    source("two.cc", "int two() { return 2; }\n");
    await built();
    fs.rmSync(path.join(clone, ".setup/image/image.node"));
    await built();
    fs.writeFileSync(path.join(clone, ".setup/image/stamp.json"), JSON.stringify({ inputs: "of an older build" }));
    await built();
  });

  it("keeps what was built before when the compiler fails, and says so", async () => {
    await imageAddonStep.run(context);
    source("one.cc", "no C++");
    await expect(imageAddonStep.run(context)).rejects.toThrow(/g\+\+/);
    expect(imageAddonStep.isDone(context)).toBe(false);
    expect(fs.readdirSync(path.join(clone, ".setup/image")).sort()).toEqual(["image.node", "objects", "stamp.json"]);
  });

  it("removes what a killed set-up left", async () => {
    await imageAddonStep.run(context);
    fs.writeFileSync(path.join(clone, ".setup/image/image.node.1.tmp"), "half");
    fs.writeFileSync(path.join(clone, ".setup/image/objects/one.0.o.1.tmp"), "half");
    source("one.h", "#define ONE 2\n");
    await imageAddonStep.run(context);
    expect(fs.readdirSync(path.join(clone, ".setup/image")).sort()).toEqual(["image.node", "objects", "stamp.json"]);
    expect(fs.readdirSync(path.join(clone, ".setup/image/objects"))).toHaveLength(1);
  });

  it("has nothing to do without the native engine", () =>
    expect(imageAddonStep.isDone({ ...context, native: false })).toBe(true));

  it("compiles anew what has changed alone, and keeps no object of before", async () => {
    source("two.cc", "int two() { return 2; }\n");
    await imageAddonStep.run(context);
    expect(compiled()).toEqual(["one", "two"]);
    source("two.cc", "int two() { return 3; }\n");
    await imageAddonStep.run(context);
    expect(compiled()).toEqual(["two"]);
    source("one.h", "#define ONE 2\n");
    await imageAddonStep.run(context);
    expect(compiled()).toEqual(["one", "two"]);
    expect(fs.readdirSync(path.join(clone, ".setup/image/objects"))).toHaveLength(2);
  });

  it("goes on after a failure with what it lacks", async () => {
    source("two.cc", "no C++");
    await expect(imageAddonStep.run(context)).rejects.toThrow(/g\+\+/);
    expect(compiled()).toEqual(["one", "two"]);
    source("two.cc", "int two() { return 2; }\n");
    await imageAddonStep.run(context);
    expect(compiled()).toEqual(["two"]);
  });

  it("takes objects of another clone, but no damaged ones", async () => {
    await imageAddonStep.run(context);
    expect(compiled()).toEqual(["one"]);
    const first = fs.readFileSync(path.join(clone, ".setup/image/image.node"));
    const forget = () => fs.rmSync(path.join(clone, ".setup"), { recursive: true });
    forget();
    await imageAddonStep.run(context);
    expect(compiled()).toEqual([]);
    expect(fs.readFileSync(path.join(clone, ".setup/image/image.node")).equals(first)).toBe(true);
    const objects = path.join(clone, "home/objects");
    for (const name of fs.readdirSync(objects)) fs.appendFileSync(path.join(objects, name), "x");
    forget();
    await imageAddonStep.run(context);
    expect(compiled()).toEqual(["one"]);
  });

  it("does without a cache that can't be written", async () => {
    fs.writeFileSync(path.join(clone, "home"), "a file, not a folder");
    await imageAddonStep.run(context);
    expect(imageAddonStep.isDone(context)).toBe(true);
  });

  it("compiles for any x86-64 processor, images without fused multiply-add", () => {
    const [image, kernels] = [imageAddonStep, kernelsStep].map((step) =>
      step.units(root).flatMap((unit) => compilerArguments(unit, "x.cc", "x.o")),
    );
    expect(image).toContain("-ffp-contract=off");
    expect([...image, ...kernels].filter((option) => /^-m|fast-math/.test(option))).toEqual([]);
  });
});

describe("an addon's libraries", () => {
  it("are loaded with it from where it is told, though none is there when it is linked", async () => {
    const root = clone;
    fs.writeFileSync(
      path.join(clone, "use.cc"),
      'extern "C" int given(); extern "C" int twice() { return 2 * given(); }\n',
    );
    const unit = { name: "use", sources: ["use.cc"], headers: [], flags: ["-fPIC"], depends: [], cost: 1 };
    const output = path.join(clone, "use.so");
    const links = [`-Wl,-rpath,${clone}/libraries`];
    const log = context.log("use");
    await buildAddon({ root, folder: "objects", units: [unit], needs: ["libgiven.so.2"], links, output, log });
    const file = (name, text) => fs.writeFileSync(path.join(clone, name), text);
    file("given.cc", 'extern "C" int given() { return 21; }\n');
    file("versions", "tensorflow { *; };\n"); // TensorFlow's symbols have such a version
    file("main.cc", '#include <cstdio>\nextern "C" int twice();\nint main() { std::printf("%d", twice()); }\n');
    fs.mkdirSync(path.join(clone, "libraries"));
    const compiler = (...args) => expect(spawnSync("g++", args, { cwd: clone, encoding: "utf8" }).stderr).toBe("");
    const versioned = ["-Wl,-soname,libgiven.so.2", "-Wl,--version-script,versions"];
    compiler("-shared", "-fPIC", "given.cc", ...versioned, "-o", "libraries/libgiven.so.2");
    compiler("main.cc", output, "-Wl,--allow-shlib-undefined", "-o", "main");
    expect(spawnSync(path.join(clone, "main"), { encoding: "utf8" }).stdout).toBe("42");
    expect(fs.readdirSync(path.join(clone, "objects")).filter((name) => !name.endsWith(".o"))).toEqual([]);
  });
});

describe("units of the kernels", () => {
  it("are every source once; what needs TensorFlow's headers is one of them", () => {
    const units = kernelsStep.units(root, OPTIONAL_SETS);
    const folder = path.join(root, "native/kernels");
    const sources = fs.readdirSync(folder).filter((name) => name.endsWith(".cc"));
    expect(units.flatMap((unit) => unit.sources).sort()).toEqual(sources.map((n) => `native/kernels/${n}`).sort());
    const needs = (text) =>
      sources.filter((name) => fs.readFileSync(path.join(folder, name), "utf8").includes(text)).sort();
    const ops = units.find((unit) => unit.name === "ops");
    expect(ops.sources.map((file) => path.basename(file))).toEqual(needs('#include "call.h"'));
    for (const unit of units) expect(unit.flags.includes("-isystem")).toBe(unit === ops);
    expect(needs("<node_api.h>")).toEqual(["addon.cc"]);
  });

  it("leave out, in what a processor lacks, the code alone: the rest is there, and links", () => {
    const all = kernelsStep.units(root, OPTIONAL_SETS).map((unit) => unit.name);
    const absent = kernelsStep.units(root, []).map((unit) => unit.name);
    expect(absent).toEqual(all.map((name) => (OPTIONAL_SETS.includes(name) ? `${name}-absent` : name)));
    const some = kernelsStep.units(root, ["avx2"]).flatMap((unit) => unit.sources);
    expect(some).toEqual(expect.arrayContaining(["native/kernels/avx2.cc", "tools/setup/absent/avx512.cc"]));
    expect(some).not.toContain("native/kernels/avx512.cc");
    const stubs = OPTIONAL_SETS.map((name) => `tools/setup/absent/${name}.cc`);
    const table = path.join(clone, "generic.cc");
    fs.writeFileSync(
      table,
      `#include "${root}/native/kernels/kernels.h"\nnamespace fine_r1 { namespace generic { extern const Kernels table; const Kernels table = {"generic"}; } }\n` +
        `#include <cstdio>\nint main() { std::puts(fine_r1::kernels().name); }\n`,
    );
    const program = path.join(clone, "program");
    const built = spawnSync(
      "g++",
      ["native/kernels/kernels.cc", ...stubs, table, "-std=c++17", "-Wall", "-o", program],
      {
        cwd: root,
        encoding: "utf8",
      },
    );
    expect(built.stderr).toBe("");
    const run = spawnSync(program, [], { env: { FINE_R1_KERNELS: "generic" }, encoding: "utf8" });
    expect(run.stdout).toBe("generic\n");
  });

  it.each(OPTIONAL_SETS)("for %s are right C++ on every machine, whether its processor has that or not", (set) => {
    const unit = kernelsStep.units(root, OPTIONAL_SETS).find(({ name }) => name === set);
    const args = [...unit.flags, "-fsyntax-only", unit.sources[0]];
    const { stderr, status } = spawnSync("g++", args, { cwd: root, encoding: "utf8" });
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  });

  it("are built anew where the processor has a set that the addon lacks, not where it has fewer", async () => {
    vi.stubEnv("FINE_R1_ALL_SETS", "1");
    fs.mkdirSync(path.join(clone, ".setup/kernels"), { recursive: true });
    fs.mkdirSync(path.join(clone, "native/kernels"));
    fs.writeFileSync(path.join(clone, "native/kernels/a-ops.cc"), "");
    const isDone = (parts) => {
      const stamp = path.join(clone, ".setup/kernels/stamp.json");
      fs.writeFileSync(path.join(clone, ".setup/kernels/kernels.node"), "");
      fs.writeFileSync(stamp, JSON.stringify({ inputs: kernelsStep.inputs(clone), parts }));
      return kernelsStep.isDone(context);
    };
    expect(isDone(OPTIONAL_SETS)).toBe(true);
    expect(isDone(["avx2"])).toBe(false);
    expect(isDone([...OPTIONAL_SETS, "another"])).toBe(true);
    vi.unstubAllEnvs();
  });

  it("give the same object in every clone: no argument of the compiler names a place on this machine", () => {
    for (const unit of [...kernelsStep.units(root), ...imageAddonStep.units(root)]) {
      for (const option of [...unit.flags, ...unit.sources, ...unit.headers])
        expect(path.isAbsolute(option)).toBe(false);
    }
  });

  it("for instruction sets are compiled before any package is there, and not again", async () => {
    const kernel = (name, text) => fs.writeFileSync(path.join(clone, "native/kernels", name), text);
    fs.mkdirSync(path.join(clone, "native/kernels"));
    kernel("avx2.cc", "int two() { return 2; }\n");
    kernel("some-ops.cc", "#error needs TensorFlow\n");
    kernel("addon.cc", "#error needs Node's headers\n");
    expect(instructionSetsStep.isDone(context)).toBe(false);
    await instructionSetsStep.run(context);
    expect(compiled("kernels")).toEqual(["avx2"]);
    expect(instructionSetsStep.isDone(context)).toBe(true);
    kernel("avx2.cc", "int two() { return 3; }\n");
    expect(instructionSetsStep.isDone(context)).toBe(false);
  });

  it("of TensorFlow are one compilation, of several files", async () => {
    const kernel = (name, text) => fs.writeFileSync(path.join(clone, "native/kernels", name), text);
    fs.mkdirSync(path.join(clone, "native/kernels"));
    kernel("one-ops.cc", '#include "common.h"\nint one() { return COMMON; }\n');
    kernel("two-ops.cc", '#include "common.h"\nint two() { return one(); }\n');
    kernel("common.h", "#pragma once\nconstexpr int COMMON = 1;\n");
    await opsStep.run(context);
    expect(compiled("kernels")).toEqual(["ops"]);
    expect(opsStep.isDone(context)).toBe(true);
    expect(fs.readdirSync(path.join(clone, ".setup/kernels/objects"))).toHaveLength(1);
    kernel("common.h", "#pragma once\nconstexpr int COMMON = 2;\n");
    expect(opsStep.isDone(context)).toBe(false);
  });
});

describe("wantedSets", () => {
  const flags = (text) => `processor\t: 0\nflags\t\t: fpu ${text} sse2\nbugs\t\t: avx512f\n`;
  const avx512 = "avx2 fma avx512f avx512dq avx512bw avx512vl";
  it.each([
    ["", []],
    ["avx2", []],
    ["avx2 fma", ["avx2"]],
    ["avx2 fma avx512f", ["avx2"]],
    [avx512, ["avx2", "avx512", "amx"]],
  ])("of a processor with %j", (text, sets) => expect(wantedSets(flags(text), {})).toEqual(sets));

  it("are all where one asks for them, or the processor does not say", () => {
    expect(wantedSets(flags(""), { FINE_R1_ALL_SETS: "1" })).toEqual(OPTIONAL_SETS);
    expect(wantedSets(null, {})).toEqual(OPTIONAL_SETS);
    expect(wantedSets("Processor: none", {})).toEqual(OPTIONAL_SETS);
  });
});
