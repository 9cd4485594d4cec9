/** Runs cells: compiled by tslab's converter, kept apart from tslab's own executor. */
"use strict";
const { AsyncLocalStorage } = require("node:async_hooks");
const vm = require("node:vm");
const { wrapCell } = require("./cell-output.cjs");
const { CellSyntaxError, withAwait, withoutExports } = require("./cell-source.cjs");
const { toCommonJs } = require("./compiler.cjs");
const { declarationText, mergeDeclarations, splitDeclarations } = require("./declarations.cjs");
const { EarlierCells } = require("./earlier-cells.cjs");
const { ImportedFiles } = require("./imported-files.cjs");
const { callAt } = require("./signature.cjs");
const { STARTER, Traces, cellName } = require("./traces.cjs");

/** How long an interrupted cell has to end by itself, in ms: it may have something to save or to close. */
const GRACE_MS = 700;

/** What an interrupted cell ends with; Jupyter knows it under Python's name. */
class Interrupted extends Error {
  constructor() {
    super("Interrupted");
    this.name = "KeyboardInterrupt";
  }
}

/**
 * A promise that rejects without a handler, or a throw in a timer, leaves a stock tslab cell "ok". Here it fails the
 * cell during which it happened; if none was running, the next one.
 */
class StrayErrors {
  constructor(traces) {
    this.traces = traces;
    this.errors = [];
    process.on("uncaughtException", (error) => this.add("Uncaught exception", error));
    process.on("unhandledRejection", (error) => this.add("Unhandled promise rejection", error));
  }

  add(kind, error) {
    if (!(error instanceof Interrupted)) this.errors.push({ kind, error });
  }

  /** Lets pending rejections be reported, then returns and forgets what was collected; null when there was nothing. */
  async take() {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.errors.length === 0) return null;
    const described = this.errors.map(({ kind, error }) => ({ kind, ...this.traces.describe(error) }));
    this.errors = [];
    const [{ kind, ename, evalue }] = described;
    return { ename, evalue: `${kind}: ${evalue}`, traceback: described.flatMap((e) => [`${e.kind}:`, ...e.traceback]) };
  }
}

/**
 * What is wrong with a cell's types, with places; those in its first line are counted without what was put before it.
 */
function describeDiagnostics(diagnostics, firstColumn) {
  const lines = diagnostics.map(({ fileName, start, messageText }) => {
    const shift = start.line === 0 && !fileName ? firstColumn : 0;
    return `${fileName ? `${fileName} ` : ""}${start.line + 1}:${start.character + 1 - shift} - ${messageText}`;
  });
  return { ename: "TypeScriptError", evalue: lines[0], traceback: lines };
}

/** One cell while it runs. */
class Cell {
  /**
   * @param publish sends a message that belongs to the cell
   * @param cellId the notebook's name of it, where the front end says so
   */
  constructor(number, publish, cellId) {
    this.number = number;
    this.publish = publish;
    this.cellId = cellId;
    this.abort = new AbortController();
    this.value = undefined;
    this.settle = () => new Set();
  }

  /** `__cell__` of the compiled text: see cell-output.cjs. */
  hooks(earlier, current) {
    return {
      declare: (bindings) => (this.settle = earlier.declare(bindings)),
      resumed: (value) => {
        current()?.abort.signal.throwIfAborted();
        return value;
      },
      result: (value) => (this.value = value),
    };
  }
}

/** A widget's callback while it runs: it shows and prints in the cell that opened the widget, and can be interrupted. */
class Callback extends Cell {
  /** @param sendComm sends comm messages, in answer to the one that called back */
  constructor(owner, sendComm) {
    super(owner.number, owner.publish, owner.cellId);
    this.owner = owner;
    this.sendComm = sendComm;
  }
}

class CellExecutor {
  /**
   * @param ts the compiler as it came
   * @param createConverter makes tslab's, on the repaired compiler
   * @param compiled what the repaired compiler leaves behind
   */
  constructor(ts, createConverter, compiled, { root, builtIn }) {
    Object.assign(this, { ts, createConverter, compiled, made: null });
    this.declarations = [];
    this.edition = 0;
    this.earlier = new EarlierCells();
    this.files = new ImportedFiles(root, builtIn);
    this.traces = new Traces(root);
    this.stray = new StrayErrors(this.traces);
    this.storage = new AsyncLocalStorage();
    this.lastCell = null;
    this.callbacks = new Set();
    this.endNow = null;
  }

  /** Made when it is first asked for, which takes two seconds. */
  get converter() {
    this.made ??= this.createConverter();
    return this.made;
  }

  /** The cell whose code asks; outside of any, the last one. */
  currentCell() {
    return this.storage.getStore() ?? this.lastCell;
  }

  /** The cell that what is printed and shown belongs to; null before the first one. */
  outputCell() {
    const cell = this.storage.getStore();
    return cell instanceof Callback ? cell : this.lastCell;
  }

  /** Runs a widget's callback; what it threw, described, or null. It never rejects. */
  async runCallback(owner, call, sendComm) {
    const callback = new Callback(owner, sendComm);
    this.callbacks.add(callback);
    try {
      await this.storage.run(callback, async () => call());
      return null;
    } catch (error) {
      return this.describeThrown(error);
    } finally {
      this.callbacks.delete(callback);
    }
  }

  /**
   * The declarations that the checker is given. tslab changes the syntax tree of these, and the compiler keeps a tree
   * while its text is the same: so no two texts are.
   */
  prelude() {
    return `${declarationText(this.declarations)}\n// ${this.edition}\n`;
  }

  /** Runs a cell; `failure` is { ename, evalue, traceback }, or null with the `value` that the cell ends in. */
  async execute(code, cell) {
    this.lastCell = cell;
    const earlier = await this.stray.take();
    if (earlier) return { failure: { ...earlier, evalue: `${earlier.evalue} (left behind by an earlier cell)` } };
    const { failure, run } = this.compile(code, cell);
    if (failure) return { failure };
    const thrown = await this.run(run, cell);
    const left = await this.stray.take();
    return { failure: thrown ?? left, value: cell.value };
  }

  compile(code, cell) {
    let plain;
    try {
      plain = withoutExports(this.ts, code);
    } catch (error) {
      if (!(error instanceof CellSyntaxError)) throw error;
      return { failure: { ename: error.name, evalue: error.message, traceback: [error.message] } };
    }
    const source = withAwait(plain);
    const firstColumn = source.length - plain.length;
    const converted = this.converter.convert(this.prelude(), source);
    this.edition++;
    if (converted.sideOutputs) this.takeImported(converted.sideOutputs);
    if (converted.diagnostics.length > 0) return { failure: describeDiagnostics(converted.diagnostics, firstColumn) };
    const { code: module, map, declarations, imports } = this.compiled.cell;
    const commonJs = toCommonJs(this.ts, module);
    const name = cellName(cell.number);
    this.traces.addCell(name, [commonJs.map, map], firstColumn);
    return {
      run: {
        name,
        text: wrapCell(commonJs.code, converted.hasToplevelAwait),
        declarations: splitDeclarations(this.ts, declarations, imports),
      },
    };
  }

  takeImported(files) {
    this.files.update(files);
    for (const [name, map] of this.compiled.maps) this.traces.addFile(name, map, 1);
    this.compiled.maps.clear();
  }

  /** What the cell threw, described; null where it ended well. What it had declared by then stays. */
  async run({ name, text, declarations }, cell) {
    let thrown = null;
    try {
      await this.storage.run(cell, () => {
        const start = vm.runInThisContext(text, { filename: name, lineOffset: -1, displayErrors: false });
        const ended = new Promise((_, reject) => (this.endNow = reject));
        return Promise.race([this.start(start, cell), ended]);
      });
    } catch (error) {
      thrown = this.describeThrown(error);
    } finally {
      this.endNow = null;
    }
    const set = cell.settle();
    const isKept = (entry) => thrown === null || !entry.value || set.has(entry.name);
    this.declarations = mergeDeclarations(this.declarations, declarations.filter(isKept));
    return thrown;
  }

  /** Calls the cell's function; Ctrl-C ends it while it has not awaited anything yet. */
  start(start, cell) {
    globalThis[Symbol.for("fine-r1.start")] = () =>
      start(
        cell.hooks(this.earlier, () => this.currentCell()),
        this.earlier.variables,
        {},
        this.files.require,
      );
    const options = { filename: STARTER, breakOnSigint: true, displayErrors: false };
    return vm.runInThisContext('globalThis[Symbol.for("fine-r1.start")]()', options);
  }

  describeThrown(error) {
    const interrupted = error instanceof Interrupted || error?.code === "ERR_SCRIPT_EXECUTION_INTERRUPTED";
    if (!interrupted) return this.traces.describe(error);
    const lines = ["KeyboardInterrupt: Interrupted"];
    if (error.isRunning) lines.push("What the cell had started ends at its next `await`, or when it is done.");
    return { ename: "KeyboardInterrupt", evalue: "Interrupted", traceback: lines };
  }

  /** Ends the running cell: through its signal, and by no longer waiting where it takes no notice. Callbacks too. */
  interruptCell() {
    for (const cell of [this.lastCell, ...this.callbacks]) cell?.abort.abort(new Interrupted());
    const { endNow } = this;
    if (endNow) setTimeout(() => endNow(Object.assign(new Interrupted(), { isRunning: true })), GRACE_MS).unref();
  }

  /** Completions at a position; see tslab's converter. Where nothing is typed yet, names of cells come first. */
  complete(code, position) {
    const found = this.converter.complete(this.prelude(), this.lenient(code), position);
    if (found.start !== found.end) return found;
    const own = new Set(this.declarations.map(({ name }) => name));
    const candidates = [true, false].flatMap((isOwn) => found.candidates.filter((name) => own.has(name) === isOwn));
    return { ...found, candidates };
  }

  /** What is known of the name at a position, or else of the function whose arguments are being written there. */
  inspect(code, position) {
    const text = this.lenient(code);
    const at = (place) => (place === null ? undefined : this.converter.inspect(this.prelude(), text, place));
    const onName =
      /[\w$]/.test(text[position] ?? "") || !/[\w$]/.test(text[position - 1] ?? "") ? position : position - 1;
    return at(onName) ?? at(callAt(this.ts, text, position));
  }

  /** The text without exports where that can be made; it is being written. */
  lenient(code) {
    try {
      return withoutExports(this.ts, code);
    } catch {
      return code;
    }
  }

  close() {
    this.made?.close();
  }
}

module.exports = { Cell, CellExecutor };
