/**
 * Comms, Jupyter's channels between a page and its kernel (message protocol 5.3), and the widgets that live on them
 * (widget protocol 2.1.0): controls in cells, drawn by JupyterLab's own widget front end.
 *
 * A message is handled when it arrives, also between cells; while a cell runs that is at its next `await`. What a
 * callback shows or prints goes to the cell that opened the widget.
 */
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const { putBuffers, takeBuffers } = require("./comm-buffers.cjs");

const WIDGET = "jupyter.widget";
/** A page asks here for all widgets at once, when it is opened on a kernel that runs already. */
const CONTROL = "jupyter.widget.control";
const VERSIONS = { [WIDGET]: "2.1.0", [CONTROL]: "1.0.0" };
/** A page closes its control channel when it has its answer; one that went away does not. */
const KEPT_CONTROLS = 8;

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** For who runs the server: no cell is to blame for a message that is none. */
function complain(text) {
  try {
    fs.writeSync(2, `fine-r1 kernel: ${text}; the message is ignored\n`);
  } catch {
    // nobody reads it
  }
}

/** One widget model: what the page and the kernel both know of a control. */
class WidgetModel {
  constructor(widgets, owner, state, listeners) {
    Object.assign(this, { widgets, owner, state: { ...state }, listeners });
    this.id = crypto.randomUUID().replaceAll("-", "");
  }

  get isOpen() {
    return this.widgets.models.get(this.id) === this;
  }

  /** Changes the state here and on the page; does nothing once closed. */
  update(patch) {
    if (!this.isOpen) return;
    Object.assign(this.state, patch);
    this.send("comm_msg", patch, "update");
  }

  /** Closes it here and on the page. */
  close() {
    if (!this.isOpen) return;
    this.widgets.sender(this.owner)("comm_close", { comm_id: this.id, data: {} });
    this.released();
  }

  /** Forgets it, and says so to who opened it. */
  released() {
    this.widgets.models.delete(this.id);
    void this.call(() => this.listeners.closed?.());
  }

  send(type, state, method, sender = this.widgets.sender(this.owner)) {
    const taken = takeBuffers(state);
    const data = { ...(method ? { method } : {}), state: taken.value, buffer_paths: taken.paths };
    const target = type === "comm_open" ? { target_name: WIDGET } : {};
    const metadata = { version: VERSIONS[WIDGET] };
    sender(type, { comm_id: this.id, ...target, data }, { metadata, buffers: taken.buffers });
  }

  /** Runs a listener; an error goes to who opened the widget, or else to its cell. */
  async call(listener, sender) {
    const failure = await this.widgets.executor.runCallback(this.owner, listener, sender);
    if (failure && this.listeners.failed?.(failure) !== true) this.owner.publish("error", failure);
  }

  /** @returns what is wrong with the message, or a promise of its end */
  take(data, buffers, sender) {
    if (data.method === "request_state") return void this.send("comm_msg", this.state, "update", sender);
    if (data.method === "custom") return this.call(() => this.listeners.message?.(data.content), sender);
    if (data.method !== "update") return `a widget has no method ${JSON.stringify(data.method)}`;
    if (!isObject(data.state)) return "an update without a state";
    const problem = putBuffers(data.state, data.buffer_paths ?? [], buffers);
    if (problem) return problem;
    return this.call(() => {
      const accepted = this.listeners.accept?.(data.state) ?? {};
      Object.assign(this.state, accepted.kept);
      return accepted.changed?.();
    }, sender);
  }
}

/** All widgets of a kernel. */
class Widgets {
  constructor(executor) {
    this.executor = executor;
    this.models = new Map();
    this.controls = new Set();
    /** Whether a page with a widget front end is there: it said so by asking for the models that there are. */
    this.isListening = false;
  }

  /** How messages of what runs now are sent: in answer to a message from the page, or else as the cell's. */
  sender(owner) {
    const cell = this.executor.outputCell() ?? owner;
    return cell.sendComm ?? cell.publish;
  }

  /** Opens a model on the page. @param state may hold bytes @param listeners see `WidgetListeners` in kernel.ts */
  open(state, listeners = {}) {
    const owner = this.executor.outputCell();
    if (!owner) throw new Error("a widget is opened from a cell");
    const model = new WidgetModel(this, owner.owner ?? owner, state, listeners);
    this.models.set(model.id, model);
    model.send("comm_open", model.state);
    return model;
  }

  /** Closes what an earlier run of a notebook's cell opened. */
  closeOf(cellIds) {
    for (const model of [...this.models.values()]) if (cellIds.includes(model.owner.cellId)) model.close();
  }

  /** The answer to `comm_info_request`. */
  info(target) {
    if (target === WIDGET) this.isListening = true;
    const wanted = target === undefined || target === null || target === WIDGET;
    const ids = wanted ? [...this.models.keys()] : [];
    return { status: "ok", comms: Object.fromEntries(ids.map((id) => [id, { target_name: WIDGET }])) };
  }

  /** Handles a comm message. @param send answers it: type, content, { metadata, buffers } */
  async take({ header, content, buffers }, send) {
    const problem =
      this.problemOf(content) ?? (await this[header.msg_type]({ ...content, data: content.data ?? {} }, buffers, send));
    if (typeof problem === "string") complain(`${header.msg_type}: ${problem}`);
  }

  problemOf(content) {
    if (!isObject(content)) return "no content";
    if (typeof content.comm_id !== "string") return "no comm_id";
    return isObject(content.data ?? {}) ? undefined : "its data is no object";
  }

  comm_open({ comm_id, target_name }, _buffers, send) {
    if (this.models.has(comm_id)) return `${comm_id} is open already`;
    if (target_name !== CONTROL) {
      send("comm_close", { comm_id, data: {} }); // what the protocol asks for where nobody knows the target
      return;
    }
    this.isListening = true;
    this.controls.add(comm_id);
    for (const id of this.controls) if (this.controls.size > KEPT_CONTROLS) this.controls.delete(id);
  }

  comm_msg({ comm_id, data }, buffers, send) {
    if (this.controls.has(comm_id)) return this.sendAll(comm_id, data, send);
    const model = this.models.get(comm_id);
    return model ? model.take(data, buffers, send) : `there is no widget ${JSON.stringify(comm_id)}`;
  }

  comm_close({ comm_id }) {
    if (!this.controls.delete(comm_id)) this.models.get(comm_id)?.released();
  }

  /** All models with their states, for a page that was loaded again. */
  sendAll(comm_id, { method }, send) {
    if (method !== "request_states") return `the control channel has no method ${JSON.stringify(method)}`;
    const states = [...this.models.values()].map(({ id, state }) => {
      const { _model_name, _model_module, _model_module_version } = state;
      const names = {
        model_name: _model_name,
        model_module: _model_module,
        model_module_version: _model_module_version,
      };
      return [id, { ...names, state }];
    });
    const taken = takeBuffers(Object.fromEntries(states));
    const data = { method: "update_states", states: taken.value, buffer_paths: taken.paths };
    send("comm_msg", { comm_id, data }, { metadata: { version: VERSIONS[CONTROL] }, buffers: taken.buffers });
  }
}

module.exports = { Widgets, complain };
