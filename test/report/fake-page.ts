/** A page for widgets, without Jupyter. */
import type { Failure, Kernel, MimeBundle, WidgetListeners, WidgetState } from "../../lib/report/kernel";

export interface FakeModel {
  id: string;
  state: WidgetState;
  listeners: WidgetListeners;
  isOpen: boolean;
}

export function fakePage(isListening = true) {
  const models: FakeModel[] = [];
  const shown: MimeBundle[] = [];
  const kernel: Kernel = {
    widgets: {
      isListening,
      open: (state, listeners = {}) => {
        const model: FakeModel = { id: `m${models.length}`, state: { ...state }, listeners, isOpen: true };
        models.push(model);
        return {
          id: model.id,
          update: (patch) => void (model.isOpen && Object.assign(model.state, patch)),
          close: () => {
            if (!model.isOpen) return;
            model.isOpen = false;
            listeners.closed?.();
          },
        };
      },
    },
    display: (bundle) => void shown.push(bundle),
    clearOutput: () => undefined,
    signal: () => undefined,
  };
  /** The n-th model of a kind. */
  const model = (name: string, n = 0): FakeModel => {
    const found = models.filter(({ state }) => state._model_name === `${name}Model`)[n];
    if (!found) throw new Error(`no ${name} ${n} among ${models.map(({ state }) => String(state._model_name)).join()}`);
    return found;
  };
  /** What the kernel does with a message of the page. */
  const run = async ({ listeners }: FakeModel, call: () => unknown): Promise<void> => {
    try {
      await call();
    } catch (error) {
      const { name, message } = error as Error;
      listeners.failed?.({ ename: name, evalue: message, traceback: [] } satisfies Failure);
    }
  };
  return {
    kernel,
    models,
    shown,
    model,
    send: (to: FakeModel, patch: WidgetState) =>
      run(to, () => {
        const { kept, changed } = to.listeners.accept?.(patch) ?? {};
        Object.assign(to.state, kept);
        return changed?.();
      }),
    click: (to: FakeModel) => run(to, () => to.listeners.message?.({ event: "click" })),
  };
}
