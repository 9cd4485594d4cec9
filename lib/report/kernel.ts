/** The notebook kernel (jupyter/fine-r1-kernel.cjs) as seen from inside; there is none outside a notebook. */

/** One value in several formats, by MIME type: text and base64 images as strings, JSON types as objects. */
export type MimeBundle = Record<string, unknown>;

/** Values of a widget model by name, as the widget protocol has them; bytes as `Uint8Array`. */
export type WidgetState = Record<string, unknown>;

/** What threw, described for people. */
export interface Failure {
  ename: string;
  evalue: string;
  traceback: string[];
}

/** What hears of a widget on a page. */
export interface WidgetListeners {
  /** Takes what of an update from the page is right: it is `kept`; `changed` is called then. */
  accept?(patch: WidgetState): { kept?: WidgetState; changed?: () => void | Promise<void> };
  /** Other messages of the page, such as a button's click. */
  message?(content: unknown): void | Promise<void>;
  /** It is closed: by `close`, by the page, or because its cell is run again. */
  closed?(): void;
  /** A listener threw. Where this returns true the failure is dealt with, else it is shown in the widget's cell. */
  failed?(failure: Failure): boolean;
}

/** A widget on a page. */
export interface WidgetModel {
  readonly id: string;
  /** Changes its state on the page; does nothing once closed. */
  update(patch: WidgetState): void;
  close(): void;
}

/** Widgets on pages (jupyter/comms.cjs). */
export interface WidgetHost {
  /** Whether a page that can draw widgets is connected. */
  readonly isListening: boolean;
  /** @throws Error where no cell was ever run */
  open(state: WidgetState, listeners?: WidgetListeners): WidgetModel;
}

export interface Kernel {
  readonly widgets: WidgetHost;
  /** Shows a bundle in the running cell; with `update`, replaces what was shown under the same `id`. */
  display(data: MimeBundle, options?: { metadata?: Record<string, unknown>; id?: string; update?: boolean }): void;
  clearOutput(wait?: boolean): void;
  /** Aborted when the running cell is interrupted. */
  signal(): AbortSignal | undefined;
}

/** The kernel this code runs in, or undefined. */
export function currentKernel(): Kernel | undefined {
  return (globalThis as unknown as Record<symbol, Kernel | undefined>)[Symbol.for("fine-r1.kernel")];
}
