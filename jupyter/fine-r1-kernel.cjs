/**
 * The project's Jupyter kernel: tslab 1.0.22 with repairs, each in a file or function of its own that says why.
 *
 * Started by Jupyter from the committed spec `jupyter/kernels/tslab-fine-r1/kernel.json` (found through JUPYTER_PATH),
 * with the connection file as argument. The repository root is its folder, so cells write `import … from "./lib/…"`;
 * what is imported is type-checked, and importing again after an edit loads the edited file.
 *
 * `globalThis[Symbol.for("fine-r1.kernel")]` is what lib/ uses to show things and to be interrupted (type `Kernel` in
 * lib/report/kernel.ts).
 */
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { CheckedFiles } = require("./checked-files.cjs");
const { repairedCompiler } = require("./compiler.cjs");

const root = path.resolve(__dirname, "..");
const tslabFolder = path.join(root, "node_modules/tslab");
const tslab = (file) => require(path.join(tslabFolder, "dist", file));
const resolveForTslab = (name) => require.resolve(name, { paths: [tslabFolder] });

/** See compiler.cjs. Returns the compiler as it was, and what the repaired one will leave behind. */
function repairCompiler() {
  const file = resolveForTslab("@tslab/typescript-for-tslab");
  const ts = require(file);
  const compiled = { cell: null, maps: new Map() };
  require.cache[file].exports = repairedCompiler(ts, compiled, new CheckedFiles(root, ts.version));
  return { ts, compiled };
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

/** Shows things in the running cell; used by lib/. */
const kernelOf = (executor, widgets) => ({
  widgets,
  display(data, { metadata = {}, id, update = false } = {}) {
    const transient = id === undefined ? {} : { display_id: id };
    executor.outputCell()?.publish(update ? "update_display_data" : "display_data", { data, metadata, transient });
  },
  clearOutput(wait = true) {
    executor.outputCell()?.publish("clear_output", { wait });
  },
  /** Aborted when the cell that asks is interrupted. */
  signal: () => executor.currentCell()?.abort.signal,
});

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

/** The compiler takes two seconds to read its libraries: Jupyter is answered first, what it sends meanwhile waits. */
const PREPARE_MS = 200;

async function main(connectionFile) {
  process.chdir(root);
  assertLoopback(connectionFile);
  exitWithParent();
  const { ts, compiled } = repairCompiler();
  repairMessageLoss();
  const { CellExecutor } = require("./cell-executor.cjs");
  const { Widgets } = require("./comms.cjs");
  const { captureOutput, createHandler, createServer } = require("./server.cjs");
  const createConverter = () => tslab("converter.js").createConverter({ isJS: false, isBrowser: false });
  const executor = new CellExecutor(ts, createConverter, compiled, { root, builtIn: { tslab: require(tslabFolder) } });
  const widgets = new Widgets(executor);
  process.on("SIGINT", () => executor.interruptCell());
  globalThis[Symbol.for("fine-r1.kernel")] = kernelOf(executor, widgets);
  captureOutput(executor);
  const jupyter = tslab("jupyter.js");
  const handler = createHandler(jupyter, executor, { version: ts.version, root, widgets });
  const server = createServer(jupyter, handler, { executor, widgets, connectionFile });
  server.onIntroduced = () => setTimeout(() => executor.converter, PREPARE_MS);
  await server.init();
}

void main(process.argv[2]);
