/** The TypeScript files that cells import, compiled: loaded as Node loads modules, and anew once their text changed. */
"use strict";
const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");

class ImportedFiles {
  /** @param builtIn modules by name that come before everything else */
  constructor(root, builtIn = {}) {
    this.builtIn = new Map(Object.entries(builtIn));
    this.sources = new Map(); // "…/name.js" -> CommonJS text
    this.modules = new Map();
    /** `require` of a cell. */
    this.require = this.requireFrom(Module.createRequire(path.join(root, "cell.js")), root);
  }

  /** Takes compiled files ({ path, data }); each is run when it is next asked for. */
  update(files) {
    for (const file of files) {
      this.sources.set(file.path, file.data);
      this.modules.delete(file.path);
    }
  }

  find(folder, id) {
    if (!/^\.{0,2}\//.test(id) && !/^\.{1,2}$/.test(id)) return undefined;
    const file = path.resolve(folder, id);
    return [file, `${file}.js`, path.join(file, "index.js")].find((candidate) => this.sources.has(candidate));
  }

  requireFrom(stock, folder) {
    const require = (id) => {
      if (this.builtIn.has(id)) return this.builtIn.get(id);
      const file = this.find(folder, id);
      return file === undefined ? stock(id) : this.load(file);
    };
    return Object.assign(require, { resolve: stock.resolve, cache: stock.cache });
  }

  load(file) {
    const loaded = this.modules.get(file);
    if (loaded) return loaded.exports;
    const typed = file.replace(/\.js$/, ".ts");
    const source = fs.existsSync(typed) ? typed : file; // what stands in traces
    const created = new Module(source, module);
    created.filename = source;
    created.paths = Module._nodeModulePaths(path.dirname(source));
    created.require = this.requireFrom(Module.createRequire(source), path.dirname(source));
    this.modules.set(file, created); // an import cycle gets the module as far as it is, as in Node
    try {
      created._compile(this.sources.get(file), source);
    } catch (error) {
      this.modules.delete(file);
      throw error;
    }
    created.loaded = true;
    return created.exports;
  }
}

module.exports = { ImportedFiles };
