/**
 * The project's Jupyter kernel: tslab 1.0.22 with repairs, each in a function of its own that says why.
 *
 * Started by Jupyter from the committed spec `jupyter/kernels/tslab-fine-r1/kernel.json` (found through JUPYTER_PATH),
 * with the connection file as argument. The repository root is its folder, so cells write `import … from "./lib/…"`;
 * what is imported is type-checked, and importing again after an edit loads the edited file.
 *
 * `globalThis[Symbol.for("fine-r1.kernel")]` is what lib/report/ uses to show things (type `Kernel` there).
 */
"use strict";
const { AsyncLocalStorage } = require("node:async_hooks");
const fs = require("node:fs");
const path = require("node:path");
const util = require("node:util");
const { repairedCompiler } = require("./compiler.cjs");

const root = path.resolve(__dirname, "..");
const tslabFolder = path.join(root, "node_modules/tslab");
const tslab = (file) => require(path.join(tslabFolder, "dist", file));
const resolveForTslab = (name) => require.resolve(name, { paths: [tslabFolder] });

/** What runs in a cell, and in whatever it starts, finds its own cell here. */
const cellStorage = new AsyncLocalStorage();
let lastCell = null;
const currentCell = () => cellStorage.getStore() ?? lastCell;

/** See compiler.cjs. */
function repairCompiler() {
  const file = resolveForTslab("@tslab/typescript-for-tslab");
  const repaired = repairedCompiler(require(file));
  require.cache[file].exports = repaired;
}

/**
 * zeromq's JavaScript sockets send one message at a time and stock tslab does not wait for it: after about 512 messages
 * in one turn of the event loop the rest is lost and the cell hangs. Without a high-water mark a send never waits.
 */
function repairMessageLoss() {
  const file = resolveForTslab("zeromq");
  const zmq = require(file);
  const unlimited = { sendTimeout: 0, sendHighWaterMark: 0, linger: 2000 };
  class Publisher extends zmq.Publisher {
    constructor() {
      super(unlimited);
    }
  }
  class Router extends zmq.Router {
    constructor() {
      super(unlimited);
    }
  }
  require.cache[file].exports = { ...zmq, Publisher, Router };
}

/** Frames of node:vm, tslab and this file say nothing about the cell. */
function cleanStack(text) {
  const noise = /node:vm:|sigintHandlersWrap|tslab\/dist\/|fine-r1-kernel\.cjs|node:async_hooks/;
  return text.split("\n").filter((line) => !noise.test(line));
}

function describeError(error) {
  const isError = util.types.isNativeError(error) || error instanceof Error;
  if (!isError) return { ename: "Error", evalue: util.inspect(error), traceback: [`Thrown: ${util.inspect(error)}`] };
  return { ename: error.name, evalue: error.message, traceback: cleanStack(util.inspect(error)) };
}

/**
 * A promise that rejects without a handler, or a throw in a timer, leaves a stock tslab cell "ok". Here it fails the
 * cell during which it happened; if none was running, the next one.
 */
class StrayErrors {
  constructor() {
    this.errors = [];
    process.on("uncaughtException", (error) => this.errors.push({ kind: "Uncaught exception", error }));
    process.on("unhandledRejection", (error) => this.errors.push({ kind: "Unhandled promise rejection", error }));
  }

  /** Lets pending rejections be reported, then returns and forgets what was collected; null when there was nothing. */
  async take() {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.errors.length === 0) return null;
    const described = this.errors.map(({ kind, error }) => ({ kind, ...describeError(error) }));
    this.errors = [];
    const [{ kind, ename, evalue }] = described;
    return { ename, evalue: `${kind}: ${evalue}`, traceback: described.flatMap((e) => [`${e.kind}:`, ...e.traceback]) };
  }
}

/** tslab takes `await` for an identifier where it is followed by "(" or stands in `for await`, unless one stood before. */
function repairTopLevelAwait(code) {
  return /\bawait\b/.test(code) ? `await 0;${code}` : code;
}

/** Positions in the first line of a repaired cell are those of the repaired text. */
function repairPosition(text, code, repaired) {
  const shift = repaired.length - code.length;
  return shift === 0 ? text : text.replace(/^1:(\d+) - /, (_, column) => `1:${Number(column) - shift} - `);
}

/**
 * tslab finds an imported file by its name plus ".js" only, and knows a module when it has been run, not while it runs.
 * So folders with an index file get a file of their name, and a module that is being loaded is handed out as far as it
 * is, as Node does (an import cycle would otherwise never end).
 */
function repairImportedFiles(files) {
  const loading = `globalThis[Symbol.for("fine-r1.loading")]`;
  const isolate = ({ path: file, data }) => {
    const name = JSON.stringify(file);
    const head = `if (${loading}.has(${name})) { module.exports = ${loading}.get(${name}).exports; return; } ${loading}.set(${name}, module); try {`;
    return { path: file, data: `${head}${data}\n} finally { ${loading}.delete(${name}); }` };
  };
  const aliases = files
    .filter((file) => path.basename(file.path) === "index.js")
    .map((file) => {
      const folder = path.dirname(file.path);
      return {
        path: `${folder}.js`,
        data: `module.exports = require(${JSON.stringify(`./${path.basename(folder)}/index`)});`,
      };
    });
  return [...files.map(isolate), ...aliases];
}

/** Runs cells; `failure` is what the last one failed with. */
function createCellExecutor() {
  const { createConverter } = tslab("converter.js");
  const { createExecutor } = tslab("executor.js");
  const converter = createConverter({ isJS: false, isBrowser: false });
  const convert = converter.convert;
  converter.convert = (...args) => {
    const result = convert(...args);
    return result.sideOutputs ? { ...result, sideOutputs: repairImportedFiles(result.sideOutputs) } : result;
  };
  const converters = { node: converter, browser: converter, close: () => converter.close() };
  const stray = new StrayErrors();
  let thrown = null;
  let diagnostics = [];
  const executor = createExecutor(root, converters, {
    log: (...args) => console.log(...args),
    // tslab passes a thrown value alone, and a diagnostic as a format with its parts
    error: (...args) => {
      if (args.length === 1) thrown = describeError(args[0]);
      else diagnostics.push(util.format(...args));
    },
  });
  const stockExecute = executor.execute;

  executor.execute = async (code) => {
    thrown = null;
    diagnostics = [];
    executor.failure = null;
    const earlier = await stray.take();
    if (earlier !== null) {
      executor.failure = { ...earlier, evalue: `${earlier.evalue} (left behind by an earlier cell)` };
      return false;
    }
    const repaired = repairTopLevelAwait(code);
    const ok = await cellStorage.run(lastCell, () => stockExecute(repaired));
    const left = await stray.take();
    if (!ok && thrown !== null) executor.failure = thrown;
    else if (diagnostics.length > 0) {
      const lines = diagnostics.map((line) => repairPosition(line, code, repaired));
      executor.failure = { ename: "TypeScriptError", evalue: lines[0], traceback: lines };
    } else if (left !== null) executor.failure = left;
    else if (!ok) executor.failure = { ename: "Error", evalue: "the cell failed without saying why", traceback: [] };
    return ok && executor.failure === null;
  };

  // Stock tslab only stops waiting for an interrupted cell; its signal lets loops that yield really stop.
  executor.interruptCell = () => {
    lastCell?.abort.abort(new Error("Interrupted"));
    executor.interrupt();
  };
  return executor;
}

/** Answers execute requests; announces a cell when it starts (a queued one only gets its number then). */
function createHandler(executor) {
  const { JupyterHandlerImpl } = tslab("jupyter.js");
  return new (class extends JupyterHandlerImpl {
    handleKernel() {
      const reply = super.handleKernel();
      const { version } = require(resolveForTslab("@tslab/typescript-for-tslab"));
      reply.language_info.version = version;
      return { status: "ok", ...reply, banner: `TypeScript ${version} in ${root}` };
    }

    async handleExecuteImpl(request, writeStream, writeDisplayData) {
      const { publish } = writeStream;
      lastCell = { publish, abort: new AbortController() };
      publish("execute_input", { code: request.code, execution_count: this.execCount + 1 });
      return super.handleExecuteImpl(request, writeStream, writeDisplayData);
    }

    async handleExecute(request, writeStream, writeDisplayData) {
      const reply = await super.handleExecute(request, writeStream, writeDisplayData);
      if (reply.status === "error") return { ...reply, ...executor.failure };
      if (reply.status === "abort") return { ...reply, status: "aborted" };
      return { ...reply, payload: [], user_expressions: {} };
    }
  })(executor, false);
}

/** Stock tslab sends no `execute_input` and no `error`, refuses nothing, and may outlive its shutdown. */
function createServer(handler, connectionFile) {
  const { ZmqServer } = tslab("jupyter.js");
  return new (class extends ZmqServer {
    async handleExecute(socket, message) {
      const publish = (type, content) => {
        const reply = message.createReply();
        reply.header.msg_type = type;
        reply.content = content;
        reply.signAndSend(this.connInfo.key, this.iopub);
      };
      const writeStream = Object.assign((name, text) => publish("stream", { name, text }), { publish });
      const writeDisplayData = (data, update) => publish(update ? "update_display_data" : "display_data", data);
      const reply = message.createReply();
      reply.header.msg_type = "execute_reply";
      reply.content = await this.handler.handleExecute(message.content, writeStream, writeDisplayData);
      if (reply.content.status === "error") {
        const { ename, evalue, traceback } = reply.content;
        publish("error", { ename, evalue, traceback });
      }
      reply.signAndSend(this.connInfo.key, socket);
    }

    close() {
      super.close();
      setTimeout(() => process.exit(0), 300); // whatever a cell left running ends with its kernel
    }
  })(handler, connectionFile);
}

/** Shows things in the running cell; used by lib/report. */
const kernel = {
  display(data, { metadata = {}, id, update = false } = {}) {
    const transient = id === undefined ? {} : { display_id: id };
    currentCell()?.publish(update ? "update_display_data" : "display_data", { data, metadata, transient });
  },
  clearOutput(wait = true) {
    currentCell()?.publish("clear_output", { wait });
  },
  /** Aborted when the cell that asks is interrupted. */
  signal: () => currentCell()?.abort.signal,
};

/** A kernel runs whatever it is sent: only this machine may reach it. */
function assertLoopback(connectionFile) {
  const { ip, transport } = JSON.parse(fs.readFileSync(connectionFile, "utf8"));
  if (transport === "tcp" && !/^127\./.test(ip)) throw new Error(`the kernel listens on 127.0.0.1 only, not on ${ip}`);
}

/** A kernel whose Jupyter was killed must not go on computing. */
function exitWithParent() {
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && process.exit(1), 2000).unref();
}

function main(connectionFile) {
  process.chdir(root);
  assertLoopback(connectionFile);
  exitWithParent();
  repairCompiler();
  repairMessageLoss();
  const executor = createCellExecutor();
  process.on("SIGINT", () => executor.interruptCell());
  globalThis[Symbol.for("fine-r1.kernel")] = kernel;
  globalThis[Symbol.for("fine-r1.loading")] = new Map();
  void createServer(createHandler(executor), connectionFile).init();
}

main(process.argv[2]);
