import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { imageAddonStep, kernelsStep } from "../../tools/setup/native-addons.mjs";

const root = path.join(import.meta.dirname, "../..");
let clone;
let context;
const source = (name, text) => fs.writeFileSync(path.join(clone, "native/image", name), text);
beforeEach(() => {
  clone = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-"));
  fs.mkdirSync(path.join(clone, "native/image"), { recursive: true });
  source("one.cc", '#include "one.h"\nint one() { return ONE; }\n');
  source("one.h", "#define ONE 1\n");
  context = { root: clone, native: true, log: (name) => path.join(clone, ".setup", `${name}.log`) };
});
afterEach(() => fs.rmSync(clone, { recursive: true, force: true }));

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
    expect(fs.readdirSync(path.join(clone, ".setup/image")).sort()).toEqual(["image.node", "stamp.json"]);
  });

  it("has nothing to do without the native engine", () =>
    expect(imageAddonStep.isDone({ ...context, native: false })).toBe(true));

  it("compiles for any x86-64 processor, images without fused multiply-add", () => {
    const [image, kernels] = [imageAddonStep, kernelsStep].map((step) =>
      step.compilerArguments({ root, source: "x.cc", output: "x.o" }),
    );
    expect(image).toContain("-ffp-contract=off");
    expect([...image, ...kernels].filter((option) => /^-m|fast-math/.test(option))).toEqual([]);
  });
});
