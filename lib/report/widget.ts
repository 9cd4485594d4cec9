/**
 * Widgets of Jupyter's own front end (ipywidgets 8, widget protocol 2.1.0). A widget is a plain value until it is
 * shown: only then models are opened on the page, so that without a page nothing is.
 */
import type { Failure, WidgetHost, WidgetListeners, WidgetModel, WidgetState } from "./kernel";

/** Something that can be shown in a cell. */
export interface Widget {
  /** Its state as the widget protocol has it, without its layout, style and children. */
  readonly state: Readonly<WidgetState>;
  /**
   * Opens it on the page, its children first; once. @returns the model's id
   * @param notice hears what its listeners throw, and null when one is called
   */
  open(host: WidgetHost, notice: (failure: Failure | null) => void): string;
  /** Takes it off the page, its children too; what is set later has no effect. */
  close(): void;
  /** Called once, when it is closed: by `close`, by the page, or because its cell is run again. */
  onClose(listener: () => void): void;
}

/** A widget whose state is changed by its maker. */
export interface OpenWidget extends Widget {
  /** Changes its state, here and on the page. */
  update(patch: WidgetState): void;
}

/** What a widget is made of. */
export interface WidgetParts {
  /** Names of its model and view in ipywidgets' front end, without `Model` and `View`. */
  name: string;
  state: WidgetState;
  children?: readonly Widget[];
  /** CSS of its place, such as `{ width: "20em" }`. */
  layout?: Readonly<Record<string, string>>;
  accept?: WidgetListeners["accept"];
  message?: WidgetListeners["message"];
}

const VERSION = "2.0.0";

/** State that says which classes of the front end draw a model. */
const classes = (name: string, module: "base" | "controls"): WidgetState => ({
  _model_module: `@jupyter-widgets/${module}`,
  _model_module_version: VERSION,
  _model_name: `${name}Model`,
  _view_module: `@jupyter-widgets/${module}`,
  _view_module_version: VERSION,
  _view_name: `${name}View`,
});

const reference = (id: string): string => `IPY_MODEL_${id}`;

/** A widget of `parts`. */
export function createWidget({ name, state: initial, children, layout, accept, message }: WidgetParts): OpenWidget {
  const state: WidgetState = { ...classes(name, "controls"), ...initial };
  const closing: (() => void)[] = [];
  let opened: { model: WidgetModel; helpers: WidgetModel[] } | null = null;
  let isClosed = false;
  const closed = (): void => {
    if (isClosed) return;
    isClosed = true;
    opened?.helpers.forEach((helper) => helper.close());
    children?.forEach((child) => child.close());
    closing.splice(0).forEach((listener) => listener());
  };
  return {
    state,
    open(host, notice) {
      if (opened) return opened.model.id;
      const ids = children?.map((child) => reference(child.open(host, notice)));
      const placed = layout && host.open({ ...classes("Layout", "base"), ...layout });
      const more = { ...(ids ? { children: ids } : {}), ...(placed ? { layout: reference(placed.id) } : {}) };
      const model = host.open(
        { ...state, ...more },
        {
          accept: (patch) => {
            notice(null);
            return accept?.(patch) ?? {};
          },
          message: (content) => {
            notice(null);
            return message?.(content);
          },
          closed,
          failed: (failure) => {
            notice(failure);
            return true;
          },
        },
      );
      opened = { model, helpers: placed ? [placed] : [] };
      return model.id;
    },
    update(patch) {
      Object.assign(state, patch);
      opened?.model.update(patch);
    },
    close() {
      opened?.model.close();
      closed();
    },
    onClose: (listener) => void closing.push(listener),
  };
}
