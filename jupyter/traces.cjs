/**
 * What is said of an error: its trace in lines of the cell and of TypeScript files, without the kernel's own frames.
 */
"use strict";
const { SourceMap } = require("node:module");
const util = require("node:util");

/** The line that starts a cell. */
const STARTER = "fine-r1:start";

/** Frames of the compiler, the kernel and Node's own machinery say nothing about the cell. */
const NOISE =
  /fine-r1:start|node:vm:|sigintHandlersWrap|[\\/]tslab[\\/]dist[\\/]|typescript-for-tslab|[\\/]jupyter[\\/][\w-]+\.cjs|node:async_hooks|node:internal\/(?:process|timers|modules|async)/;

/** What a cell is called in traces: the number that the notebook shows beside it. */
const cellName = (number) => `cell [${number}]`;

/** Source maps by the name that stands in a trace. */
class Traces {
  /** @param root folder that paths are shown relative to */
  constructor(root) {
    this.root = root;
    this.cells = new Map();
    this.files = new Map();
  }

  /**
   * @param maps the maps of the two steps, the last step first; JSON
   * @param firstColumn characters put before the cell's first line
   */
  addCell(name, maps, firstColumn) {
    this.cells.set(name, { maps: maps.map((map) => new SourceMap(JSON.parse(map))), firstColumn });
  }

  /** @param shift lines put before the compiled text */
  addFile(name, map, shift) {
    this.files.set(name, { map, shift, parsed: null });
  }

  cellPosition(name, line, column) {
    const cell = this.cells.get(name);
    if (!cell) return null;
    let at = { originalLine: line - 1, originalColumn: column - 1 };
    for (const map of cell.maps) {
      at = map.findEntry(at.originalLine, at.originalColumn);
      if (at.originalLine === undefined) return null;
    }
    const row = at.originalLine; // tslab's own first line is line 0, the cell's is line 1
    if (row < 1) return null;
    return `${name}:${row}:${Math.max(1, at.originalColumn + 1 - (row === 1 ? cell.firstColumn : 0))}`;
  }

  filePosition(name, line, column) {
    const file = this.files.get(name);
    if (!file) return null;
    file.parsed ??= new SourceMap(JSON.parse(file.map));
    const at = file.parsed.findEntry(line - 1 - file.shift, column - 1);
    return at.originalLine === undefined ? null : `${name}:${at.originalLine + 1}:${at.originalColumn + 1}`;
  }

  /** Lines of a trace, positions as written. */
  clean(text) {
    return text
      .split("\n")
      .filter((line) => !(/^\s*at /.test(line) && NOISE.test(line)))
      .map((line) =>
        line
          .replace(
            /(cell \[\d+\]):(\d+):(\d+)/,
            (all, name, l, c) => this.cellPosition(name, Number(l), Number(c)) ?? all,
          )
          .replace(
            /(\/[^():]+\.ts):(\d+):(\d+)/,
            (all, name, l, c) => this.filePosition(name, Number(l), Number(c)) ?? all,
          )
          .split(`${this.root}/`)
          .join(""),
      );
  }

  /** { ename, evalue, traceback } of anything that was thrown. */
  describe(error) {
    const isError = util.types.isNativeError(error) || error instanceof Error;
    if (!isError) return { ename: "Error", evalue: util.inspect(error), traceback: [`Thrown: ${util.inspect(error)}`] };
    return { ename: error.name, evalue: error.message, traceback: this.clean(util.inspect(error)) };
  }
}

module.exports = { STARTER, Traces, cellName };
