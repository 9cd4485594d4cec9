/** Repairs of the TypeScript compiler that tslab uses: what it checks, how it resolves, and how fast. */
"use strict";
const path = require("node:path");
const { transformSync } = require("esbuild");
const { cellTransformer } = require("./cell-output.cjs");

/** tslab's own files: the cell and the declarations of earlier ones. */
const isCell = (fileName) => /^__(?:tslab|prev)__\./.test(path.basename(fileName));

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
 * written of it. Here the cell is checked each time, what it imports until nothing is wrong and again once a file
 * changed; another kernel may have found that already.
 */
function checkImportsOnce(ts, checked) {
  let clean = new Set(); // the compiler keeps a file's object until its text changes
  return (program, [cell, ...imported]) => {
    const found = [...ts.getPreEmitDiagnosticsOfFiles(program, [cell])];
    if (imported.every((file) => clean.has(file))) return found;
    const key = checked.key(program, imported, isCell);
    const isKnown = checked.has(key);
    const theirs = (isKnown ? [] : imported).flatMap((file) => [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ]);
    if (theirs.length > 0) return [...found, ...theirs];
    clean = new Set(imported);
    if (!isKnown) checked.add(key);
    return found;
  };
}

/** What is CommonJS already, or is made so later; tslab would put it through the compiler once more. */
const READY = "/* CommonJS */";

/** What each imported name of a cell is: { value, type }; both where nothing is known of it. */
function importMeanings(ts, checker, cell) {
  const meanings = new Map();
  for (const [name, symbol] of cell.locals ?? []) {
    if (!(symbol.flags & ts.SymbolFlags.Alias)) continue;
    const { flags } = checker.getAliasedSymbol(symbol);
    const [value, type] = [(flags & ts.SymbolFlags.Value) !== 0, (flags & ts.SymbolFlags.Type) !== 0];
    meanings.set(name, value || type ? { value, type } : { value: true, type: true });
  }
  return meanings;
}

/**
 * Imported files are turned into JavaScript by esbuild, in a tenth of the compiler's time; cells by the compiler with
 * the transformer of cell-output.cjs. What is made is left in `compiled`.
 */
function emitWith(ts, { rootDir, outDir }, compiled) {
  function emitImported(file, write) {
    const output = path.join(outDir, path.relative(rootDir, file.fileName)).replace(/\.ts$/, ".js");
    const { code, map } = transformSync(file.text, {
      loader: "ts",
      format: "cjs",
      target: "es2022",
      sourcemap: "external",
      sourcefile: file.fileName,
    });
    compiled.maps.set(file.fileName, map);
    write(output, READY + "\n" + code);
    return { emitSkipped: false, diagnostics: [] };
  }
  return (...args) => {
    const builder = ts.createEmitAndSemanticDiagnosticsBuilderProgram(...args);
    const emit = builder.emit.bind(builder);
    const emitCell = (cell, write, token, onlyDeclarations, transformers) => {
      const checker = builder.getProgram().getTypeChecker();
      const declarations = builder.getSourceFile(path.join(path.dirname(cell.fileName), "__prev__.d.ts"));
      compiled.cell = { imports: importMeanings(ts, checker, cell), code: "", map: "", declarations: "" };
      const keep = (fileName, data, ...rest) => {
        if (fileName.endsWith(".js.map")) compiled.cell.map = data;
        else if (fileName.endsWith(".d.ts")) compiled.cell.declarations = data;
        else compiled.cell.code = data.replace(/^\/\/# sourceMappingURL=.*$/m, "");
        write(fileName, fileName.endsWith(".js") ? READY : data, ...rest);
      };
      const after = [cellTransformer(ts, { checker, declarations, cell })];
      return emit(cell, keep, token, onlyDeclarations, { ...transformers, after });
    };
    builder.emit = (file, write, ...rest) => {
      if (file && isCell(file.fileName)) return emitCell(file, write, ...rest);
      return file?.fileName.endsWith(".ts") ? emitImported(file, write) : emit(file, write, ...rest);
    };
    return builder;
  };
}

/**
 * The compiler with repairs. tslab checks cells with loose options and resolves modules as Node 10 did: `strict` makes
 * cells as safe as lib/, and bundler resolution finds the types of packages that only have `exports`.
 *
 * @param compiled receives what is made: `cell` of the last cell, `maps` (source maps) of imported files
 * @param checked what earlier kernels checked (checked-files.cjs)
 */
function repairedCompiler(ts, compiled, checked) {
  return {
    ...ts,
    getPreEmitDiagnosticsOfFiles: checkImportsOnce(ts, checked),
    transpileModule: (source, options) =>
      source.startsWith(READY) ? { outputText: source } : ts.transpileModule(source, options),
    createWatchCompilerHost: (files, options, system, _createProgram, ...rest) => {
      const own = {
        ...options,
        strict: true,
        sourceMap: true,
        experimentalDecorators: false,
        lib: ["lib.es2023.d.ts"],
        types: ["node"],
        moduleResolution: ts.ModuleResolutionKind.Bundler,
      };
      const host = ts.createWatchCompilerHost(files, own, system, emitWith(ts, options, compiled), ...rest);
      return { ...host, ...separateTimers(host) };
    },
  };
}

/** A cell's CommonJS text with its source map; the compiler's own output is an ES module. */
function toCommonJs(ts, code) {
  const { outputText, sourceMapText } = ts.transpileModule(code, {
    fileName: "cell.js",
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      esModuleInterop: true,
      target: ts.ScriptTarget.ES2022,
      noImplicitUseStrict: true,
      sourceMap: true,
    },
  });
  return { code: outputText.replace(/^\/\/# sourceMappingURL=.*$/m, ""), map: sourceMapText };
}

module.exports = { repairedCompiler, toCommonJs };
