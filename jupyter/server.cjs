/** Answers Jupyter's messages; tslab's sockets and message format, with the protocol as Jupyter has it. */
"use strict";
const { Cell } = require("./cell-executor.cjs");
const { ExecutionQueue } = require("./execution-queue.cjs");
const { resultText } = require("./results.cjs");

/** Everything printed belongs to the cell that runs, or ran last, as in the Python kernel. */
function captureOutput(executor) {
  for (const name of ["stdout", "stderr"]) {
    const decoder = new TextDecoder();
    const stock = process[name].write.bind(process[name]);
    process[name].write = (chunk, encoding, callback) => {
      const done = typeof encoding === "function" ? encoding : callback;
      const cell = executor.lastCell;
      if (cell === null) return stock(chunk, encoding, callback);
      const text = typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
      if (text !== "") cell.publish("stream", { name, text });
      if (done) process.nextTick(done);
      return true;
    };
  }
}

/** What requests are answered with. */
function createHandler({ JupyterHandlerImpl }, executor, { version, root }) {
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
    async runCell({ code, silent = false }, publish) {
      if (!silent) this.execCount++;
      const execution_count = this.execCount;
      if (!silent) publish("execute_input", { code, execution_count });
      const { failure, value } = await executor.execute(code, new Cell(execution_count, publish));
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

/** Stock tslab sends no `execute_input` and no `error`, knows no interrupt request, and may outlive its shutdown. */
function createServer({ ZmqServer }, handler, executor, connectionFile) {
  /** Requests that stock tslab does not know. */
  const answers = {
    interrupt_request: () => {
      executor.interruptCell();
      return { status: "ok" };
    },
    history_request: () => ({ status: "ok", history: [] }),
    comm_info_request: () => ({ status: "ok", comms: {} }),
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
      const message = this.Message?.fromRaw(this.connInfo.key, frames);
      const answer = message && answers[message.header.msg_type];
      if (!answer) return super.handleShellMessage(socket, ...frames);
      this.publishStatus("busy", message);
      this.send(message, socket, message.header.msg_type.replace(/_request$/, "_reply"), answer());
      this.publishStatus("idle", message);
    }

    handleKernelInfo(socket, message) {
      super.handleKernelInfo(socket, message);
      this.onIntroduced();
      this.onIntroduced = () => undefined;
    }

    send(message, socket, type, content) {
      const reply = message.createReply();
      reply.header.msg_type = type;
      reply.content = content;
      reply.signAndSend(this.connInfo.key, socket);
    }

    async handleExecute(socket, message) {
      const publish = (type, content) => this.send(message, this.iopub, type, content);
      await this.handler.enqueue(message.content, publish, (content) => {
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
