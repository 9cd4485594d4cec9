/** Answers Jupyter's messages; tslab's sockets and message format, with the protocol as Jupyter has it. */
"use strict";
const { Cell } = require("./cell-executor.cjs");
const { complain } = require("./comms.cjs");
const { ExecutionQueue } = require("./execution-queue.cjs");
const { resultText } = require("./results.cjs");

/** Everything printed belongs to the cell that runs, or ran last, as in the Python kernel; a widget's callback to its own. */
function captureOutput(executor) {
  for (const name of ["stdout", "stderr"]) {
    const decoder = new TextDecoder();
    const stock = process[name].write.bind(process[name]);
    process[name].write = (chunk, encoding, callback) => {
      const done = typeof encoding === "function" ? encoding : callback;
      const cell = executor.outputCell();
      if (cell === null) return stock(chunk, encoding, callback);
      const text = typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
      if (text !== "") cell.publish("stream", { name, text });
      if (done) process.nextTick(done);
      return true;
    };
  }
}

/** What requests are answered with. */
function createHandler({ JupyterHandlerImpl }, executor, { version, root, widgets }) {
  return new (class extends JupyterHandlerImpl {
    queue = new ExecutionQueue();

    handleKernel() {
      const reply = super.handleKernel();
      reply.language_info.version = version;
      return { status: "ok", ...reply, banner: `TypeScript ${version} in ${root}` };
    }

    /** Queues a cell; `finish` sends the reply. */
    enqueue(request, publish, finish) {
      const run = () => this.runCell(request, publish);
      return this.queue.add({ run, finish, stopOnError: request.stop_on_error !== false });
    }

    /** Runs a cell; announces it when it starts (a queued one only gets its number then). */
    async runCell({ code, silent = false, cellId, deletedCells }, publish) {
      widgets.closeOf([cellId, deletedCells].flat().filter((id) => typeof id === "string"));
      if (!silent) this.execCount++;
      const execution_count = this.execCount;
      if (!silent) publish("execute_input", { code, execution_count });
      const { failure, value } = await executor.execute(code, new Cell(execution_count, publish, cellId));
      if (failure) return { status: "error", execution_count, ...failure };
      if (value !== undefined && !silent)
        publish("execute_result", { data: { "text/plain": resultText(value) }, metadata: {}, execution_count });
      return { status: "ok", execution_count, payload: [], user_expressions: {} };
    }

    handleShutdown(request) {
      return { status: "ok", restart: request.restart ?? false };
    }
  })(executor, false);
}

const DELIMITER = "<IDS|MSG>";
/** Frames from the delimiter to the content; those behind it are buffers, which no signature covers. */
const SIGNED_FRAMES = 6;
const COMM_TYPES = new Set(["comm_open", "comm_msg", "comm_close"]);

/** A message's frames, and the buffers behind them. */
function splitFrames(frames) {
  const end = frames.findIndex((frame) => frame.toString() === DELIMITER) + SIGNED_FRAMES;
  return { signed: frames.slice(0, end), buffers: frames.slice(end) };
}

/**
 * Stock tslab sends no `execute_input` and no `error`, knows no interrupt request, no comm and no buffer, and may
 * outlive its shutdown.
 */
function createServer({ ZmqServer }, handler, { executor, widgets, connectionFile }) {
  /** Requests that stock tslab does not know. */
  const answers = {
    interrupt_request: () => {
      executor.interruptCell();
      return { status: "ok" };
    },
    history_request: () => ({ status: "ok", history: [] }),
    comm_info_request: ({ content }) => widgets.info(content.target_name),
  };
  return new (class extends ZmqServer {
    Message = null;
    /** Called once, when a client has been told what kernel this is. */
    onIntroduced = () => undefined;

    publishStatus(status, parent) {
      this.Message ??= parent.constructor;
      super.publishStatus(status, parent);
    }

    async handleShellMessage(socket, ...frames) {
      const { signed, buffers } = splitFrames(frames);
      let message;
      try {
        message = this.Message?.fromRaw(this.connInfo.key, signed);
      } catch (error) {
        return complain(error.message);
      }
      if (message && COMM_TYPES.has(message.header.msg_type)) return this.handleComm(message, buffers);
      const answer = message && answers[message.header.msg_type];
      if (!answer) return super.handleShellMessage(socket, ...signed);
      this.publishStatus("busy", message);
      this.send(message, socket, message.header.msg_type.replace(/_request$/, "_reply"), answer(message));
      this.publishStatus("idle", message);
    }

    async handleComm(message, buffers) {
      const send = (type, content, more) => this.send(message, this.iopub, type, content, more);
      this.publishStatus("busy", message);
      try {
        await widgets.take({ header: message.header, content: message.content, buffers }, send);
      } finally {
        this.publishStatus("idle", message);
      }
    }

    handleKernelInfo(socket, message) {
      super.handleKernelInfo(socket, message);
      this.onIntroduced();
      this.onIntroduced = () => undefined;
    }

    send(message, socket, type, content, { metadata = {}, buffers = [] } = {}) {
      const reply = message.createReply();
      reply.header.msg_type = type;
      reply.metadata = metadata;
      reply.content = content;
      reply.signAndSend(this.connInfo.key, { send: (frames) => socket.send([...frames, ...buffers]) });
    }

    async handleExecute(socket, message) {
      const publish = (type, content, more) => this.send(message, this.iopub, type, content, more);
      const { cellId, deletedCells } = message.metadata ?? {}; // JupyterLab's
      await this.handler.enqueue({ ...message.content, cellId, deletedCells }, publish, (content) => {
        if (content.status === "error") {
          const { ename, evalue, traceback } = content;
          publish("error", { ename, evalue, traceback });
        }
        this.send(message, socket, "execute_reply", content);
      });
    }

    close() {
      super.close();
      setTimeout(() => process.exit(0), 300); // whatever a cell left running ends with its kernel
    }
  })(handler, connectionFile);
}

module.exports = { captureOutput, createHandler, createServer };
