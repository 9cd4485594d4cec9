import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { compilerArguments } from "../../tools/setup/objects.mjs";
import { imageAddonStep, instructionSetsStep, kernelsStep } from "../../tools/setup/native-addons.mjs";

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

describe("units of the kernels", () => {
  it("are every source once; what needs TensorFlow's headers is one of them", () => {
    const units = kernelsStep.units(root);
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
});
