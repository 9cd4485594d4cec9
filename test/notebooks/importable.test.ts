/** The kernel compiles lib/ with tslab's own TypeScript 5.0, so lib/ must parse there; cells must parse too. */
import * as fs from "node:fs";
import * as path from "node:path";
import type * as TypeScript from "typescript";
import { describe, expect, it } from "vitest";
import { root } from "../../tools/environment";
import { readCodeCells } from "../../tools/notebooks/cells";
import { allNotebooks } from "../../tools/notebooks/run";

// eslint-disable-next-line @typescript-eslint/no-require-imports -- tslab's TypeScript is a dependency of a dependency
const ts = require(
  require.resolve("@tslab/typescript-for-tslab", { paths: [path.join(root, "node_modules/tslab")] }),
) as typeof TypeScript;

function syntaxErrors(name: string, source: string): string[] {
  const { diagnostics = [] } = ts.transpileModule(source, {
    fileName: name,
    reportDiagnostics: true,
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  return diagnostics.map((d) => `${name}: ${ts.flattenDiagnosticMessageText(d.messageText, "\n")}`);
}

const libFiles = fs
  .readdirSync(path.join(root, "lib"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"));

describe("what the kernel imports", () => {
  it("lib/ is TypeScript 5.0", () => {
    expect(libFiles.length).toBeGreaterThan(0);
    expect(
      libFiles.flatMap((name) => syntaxErrors(name, fs.readFileSync(path.join(root, "lib", name), "utf8"))),
    ).toEqual([]);
  });

  it("lib/ imports its own files without suffix, and nothing that the kernel cannot run", () => {
    const wrong = libFiles.flatMap((name) => {
      const { importedFiles } = ts.preProcessFile(fs.readFileSync(path.join(root, "lib", name), "utf8"));
      return importedFiles
        .map(({ fileName }) => fileName)
        .filter((imported) => /^\.{1,2}\/.*\.(ts|js|mjs)$/.test(imported))
        .map((imported) => `${name}: ${imported}`);
    });
    expect(wrong).toEqual([]);
  });

  it("cells of notebooks parse", () => {
    const errors = allNotebooks().flatMap((file) =>
      readCodeCells(file).flatMap((cell) => syntaxErrors(`${path.basename(file)} cell ${cell.number}`, cell.source)),
    );
    expect(errors).toEqual([]);
  });
});
