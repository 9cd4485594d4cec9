/**
 * The code for AMX on processors without it: `native/kernels/amx.cc` is compiled with its instructions written out in
 * C++ (`test/native/amx-emulation.h`) and compared with the code for AVX-512. With AMX, `kernels.test.ts` runs the real
 * ones.
 */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { kernelInstructionSet } from "../../lib/engine/kernels";
import { repositoryRoot } from "../../lib/util/root";

const kernels = path.join(repositoryRoot(), "native/kernels");
const emulation = path.join(repositoryRoot(), "test/native");
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-amx-"));
afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

/** What only the processor itself can do, and what stands there instead. */
const REPLACED: [string, string][] = [
  ['#include "library.h"\n', '#include "library.h"\n#include "amx-emulation.h"\n'],
  ['#pragma GCC target("amx-tile,amx-bf16,avx512bf16,', '#pragma GCC target("'],
  ['asm volatile("ldtilecfg %0" ::"m"(config) : "memory");', "(void)config;"],
  ['asm volatile("tilerelease" ::: "memory");', ""],
];

/** The lines that the comparison prints. */
function compared(): string[] {
  let source = fs.readFileSync(path.join(kernels, "amx.cc"), "utf8");
  for (const [from, to] of REPLACED) {
    expect(source.split(from).length, `${from.trim()} in amx.cc`).toBe(2);
    source = source.replace(from, to);
  }
  fs.writeFileSync(path.join(scratch, "amx.cc"), source);
  const program = path.join(scratch, "parity");
  const files = [path.join(scratch, "amx.cc"), path.join(kernels, "avx512.cc"), path.join(emulation, "amx-parity.cc")];
  execFileSync(
    "g++",
    [
      "-O1",
      "-std=c++17",
      "-fopenmp-simd",
      "-fno-math-errno",
      "-fno-trapping-math",
      "-I",
      kernels,
      "-I",
      emulation,
      ...files,
      "-o",
      program,
    ],
    { stdio: "pipe" },
  );
  return execFileSync(program, { encoding: "utf8" }).trim().split("\n");
}

describe.skipIf(kernelInstructionSet() !== "avx512")("the code for AMX, its instructions emulated", () => {
  it("gives what the code for AVX-512 gives", { timeout: 120_000 }, () => {
    const lines = compared();
    expect(lines).toHaveLength(18);
    for (const line of lines) {
      const errors = [...line.split(": ")[1].matchAll(/\d\.\d+e-\d+/g)].map(Number);
      expect(errors.length, line).toBe(line.startsWith("mlp") ? 3 : 1);
      expect(Math.max(...errors), line).toBeLessThan(line.includes("rounded") && line.startsWith("mlp") ? 1e-4 : 1e-6);
    }
  });
});
