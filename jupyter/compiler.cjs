/** Repairs of the TypeScript compiler that tslab uses: what it checks, how it resolves, and how fast. */
"use strict";
const path = require("node:path");
const { transformSync } = require("esbuild");

/** tslab's own files: the cell and the declarations of earlier ones. */
const isCell = (fileName) => path.basename(fileName).startsWith("__tslab__");

/**
 * tslab keeps one pending timer for its compiler host and throws "Unexpected pending rebuildTimer" at a second one. The
 * compiler has two: rebuilding, and forgetting failed look-ups, which it starts whenever a file appears beside the
 * sources (a saved edit while a cell runs). Only the first is tslab's to drive; the second gets a timer of its own.
 */
function separateTimers(host) {
  const own = new Set();
  return {
    setTimeout: (callback, milliseconds, ...args) => {
      if (!/FailedLookup/.test(callback.name)) return host.setTimeout(callback, milliseconds, ...args);
      const timer = setTimeout(() => {
        own.delete(timer);
        callback(...args);
      }, milliseconds);
      timer.unref();
      own.add(timer);
      return timer;
    },
    clearTimeout: (timer) => {
      if (!own.delete(timer)) return host.clearTimeout(timer);
      clearTimeout(timer);
    },
  };
}

/**
 * tslab checks every imported file again with every cell (two seconds for lib/), and asks whether declarations could be
 * written of it. Here the cell is checked each time, what it imports until nothing is wrong and again once a file changed.
 */
function checkImportsOnce(ts) {
  let clean = new Set(); // the compiler keeps a file's object until its text changes
  return (program, [cell, ...imported]) => {
    const found = [...ts.getPreEmitDiagnosticsOfFiles(program, [cell])];
    if (imported.every((file) => clean.has(file))) return found;
    const theirs = imported.flatMap((file) => [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ]);
    if (theirs.length === 0) clean = new Set(imported);
    return [...found, ...theirs];
  };
}

/** What esbuild made is CommonJS already; tslab would put it through the compiler once more. */
const READY = "/* CommonJS */";

/** Imported files are turned into JavaScript by esbuild, in a tenth of the compiler's time; cells by tslab's own transformers. */
function emitImportsFast(ts, { rootDir, outDir }) {
  return (...args) => {
    const builder = ts.createEmitAndSemanticDiagnosticsBuilderProgram(...args);
    const emit = builder.emit.bind(builder);
    builder.emit = (file, write, ...rest) => {
      if (!file?.fileName.endsWith(".ts") || isCell(file.fileName)) return emit(file, write, ...rest);
      const { code } = transformSync(file.text, {
        loader: "ts",
        format: "cjs",
        target: "es2022",
        sourcefile: file.fileName,
      });
      write(path.join(outDir, path.relative(rootDir, file.fileName)).replace(/\.ts$/, ".js"), READY + code);
      return { emitSkipped: false, diagnostics: [] };
    };
    return builder;
  };
}

/**
 * The compiler with repairs. tslab checks cells with loose options and resolves modules as Node 10 did: `strict` makes
 * cells as safe as lib/, and bundler resolution finds the types of packages that only have `exports`.
 */
function repairedCompiler(ts) {
  return {
    ...ts,
    getPreEmitDiagnosticsOfFiles: checkImportsOnce(ts),
    transpileModule: (source, options) =>
      source.startsWith(READY) ? { outputText: source } : ts.transpileModule(source, options),
    createWatchCompilerHost: (files, options, system, _createProgram, ...rest) => {
      const own = {
        ...options,
        strict: true,
        experimentalDecorators: false,
        lib: ["lib.es2023.d.ts"],
        moduleResolution: ts.ModuleResolutionKind.Bundler,
      };
      const host = ts.createWatchCompilerHost(files, own, system, emitImportsFast(ts, options), ...rest);
      return { ...host, ...separateTimers(host) };
    },
  };
}

module.exports = { repairedCompiler };
