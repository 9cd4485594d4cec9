/**
 * Controls in cells. Listeners hear of changes on the page, not of `set`; what they throw is shown below the controls.
 * What comes from a page is checked: a value that a control cannot have is not taken, and the controls say why.
 */
import { createWidget, type OpenWidget, type Widget, type WidgetParts } from "./widget";
import type { WidgetState } from "./kernel";

/** A listener; an error or a rejection is shown below the controls. */
export type Listener<T> = (value: T) => void | Promise<void>;

/** A widget with a value. */
export interface Control<T> extends Widget {
  readonly value: T;
  /** Changes the value here and on the page; listeners are not called. @throws Error where it cannot have this value */
  set(value: T): void;
  onChange(listener: Listener<T>): void;
  /** Whether it can be used; it can until told otherwise. */
  enable(isEnabled: boolean): void;
}

/** A choice of one: what it is called, and its value. A plain text is both. */
export type Choice = string | { label: string; value: string };

/** A control that chooses one of several. */
export interface Chooser extends Control<string> {
  /** Other choices; the value stays if it is one of them, else it is the first. @throws Error where there are none */
  setChoices(choices: readonly Choice[]): void;
}

/** A button. */
export interface Button extends Widget {
  onClick(listener: () => void | Promise<void>): void;
  enable(isEnabled: boolean): void;
}

/** A file dropped on a page or chosen there. */
export interface Upload {
  name: string;
  bytes: Uint8Array;
}

/** A file is taken up to this size, 20 MB. */
export const UPLOAD_BYTES = 20 * 2 ** 20;

/** What a control does with its one value on the page. */
interface ValueParts<T> extends Pick<WidgetParts, "name" | "layout"> {
  label: string;
  state: WidgetState;
  /** The field of the state that holds the value, and how it is written there. */
  field: string;
  write(value: T): unknown;
  /** The value of what the page says; a text says why it has none. */
  read(written: unknown): { value: T } | string;
  initial: T;
  /** Whether the page keeps what it wrote in the state. Default true; not for files. */
  keeps?: boolean;
}

function valueWidget<T>(parts: ValueParts<T>): Control<T> & Pick<OpenWidget, "update"> {
  const { name, label, state, field, write, read, initial, layout, keeps = true } = parts;
  const listeners: Listener<T>[] = [];
  let value = initial;
  const widget = createWidget({
    name,
    layout,
    state: { description: label, disabled: false, ...state, ...(keeps ? { [field]: write(initial) } : {}) },
    accept: (patch) => {
      if (!Object.hasOwn(patch, field)) return {};
      const taken = read(patch[field]);
      if (typeof taken === "string") throw new Error(`${label}: ${taken}`);
      value = taken.value;
      if (keeps) Object.assign(widget.state, { [field]: write(value) });
      return {
        kept: keeps ? { [field]: write(value) } : {},
        changed: async () => {
          for (const listener of listeners) await listener(value);
        },
      };
    },
  });
  return {
    ...widget,
    get value() {
      return value;
    },
    set: (wanted) => {
      const taken = read(write(wanted));
      if (typeof taken === "string") throw new Error(`${label}: ${taken}`);
      value = taken.value;
      widget.update({ [field]: write(value) });
    },
    onChange: (listener) => void listeners.push(listener),
    enable: (isEnabled) => widget.update({ disabled: !isEnabled }),
  };
}

const labelOf = (choice: Choice): string => (typeof choice === "string" ? choice : choice.label);
const valueOf = (choice: Choice): string => (typeof choice === "string" ? choice : choice.value);

/** What choosers share: choices by place, which is what the page sends. */
function chooser(
  name: string,
  label: string,
  given: readonly Choice[],
  { value: wanted, state = {}, layout }: { value?: string; state?: WidgetState; layout?: WidgetParts["layout"] },
): Chooser {
  let choices = given;
  const none = (): Error => new Error(`${label}: nothing to choose from; give one choice or more`);
  if (choices.length === 0) throw none();
  const placeOf = (value: string): number => choices.findIndex((choice) => valueOf(choice) === value);
  if (wanted !== undefined && placeOf(wanted) < 0)
    throw new Error(`${label}: no choice is ${JSON.stringify(wanted)}; there are ${choices.map(valueOf).join(", ")}`);
  const control = valueWidget<string>({
    name,
    label,
    layout,
    state: { _options_labels: choices.map(labelOf), ...state },
    field: "index",
    initial: wanted ?? valueOf(choices[0]),
    write: placeOf,
    read: (index) => {
      const choice = Number.isInteger(index) ? choices.at(index as number) : undefined;
      if (choice === undefined || (index as number) < 0) return `no choice has the number ${JSON.stringify(index)}`;
      return { value: valueOf(choice) };
    },
  });
  return Object.create(control, {
    setChoices: {
      value: (others: readonly Choice[]) => {
        if (others.length === 0) throw none();
        const before = control.value;
        choices = others;
        control.update({ _options_labels: choices.map(labelOf), index: null });
        control.set(placeOf(before) < 0 ? valueOf(choices[0]) : before);
      },
    },
  }) as Chooser;
}

/** A list that opens. @throws Error without choices, or where `value` is none of them */
export const dropdown = (
  label: string,
  choices: readonly Choice[],
  options: { value?: string; layout?: WidgetParts["layout"] } = {},
): Chooser => chooser("Dropdown", label, choices, options);

/** Buttons of which one is pressed. @throws as `dropdown` */
export const toggleButtons = (
  label: string,
  choices: readonly Choice[],
  options: { value?: string; layout?: WidgetParts["layout"] } = {},
): Chooser =>
  chooser("ToggleButtons", label, choices, {
    layout: { width: "auto" },
    ...options,
    state: { tooltips: [], icons: [], button_style: "" },
  });

/** Longest text that a page may send. */
const TEXT_LENGTH = 10_000;

/** A line of text; listeners hear of it when Enter is pressed or the line is left. */
export const textBox = (
  label: string,
  options: { value?: string; placeholder?: string; layout?: WidgetParts["layout"] } = {},
): Control<string> =>
  valueWidget<string>({
    name: "Text",
    label,
    layout: options.layout,
    state: { placeholder: options.placeholder ?? "", continuous_update: false },
    field: "value",
    initial: options.value ?? "",
    write: (value) => value,
    read: (text) =>
      typeof text === "string" && text.length <= TEXT_LENGTH
        ? { value: text }
        : `expected text of at most ${TEXT_LENGTH} characters`,
  });

/** A box to tick. */
export const checkbox = (label: string, options: { value?: boolean } = {}): Control<boolean> =>
  valueWidget<boolean>({
    name: "Checkbox",
    label,
    state: { indent: false },
    field: "value",
    initial: options.value ?? false,
    write: (value) => value,
    read: (value) => (typeof value === "boolean" ? { value } : "expected true or false"),
  });

/** A whole number from `min` to `max`; listeners hear of it when it is let go. @throws Error where the range is none */
export function intSlider(
  label: string,
  { min, max, value = min, step = 1 }: { min: number; max: number; value?: number; step?: number },
): Control<number> {
  const read = (given: unknown): { value: number } | string =>
    Number.isInteger(given) && (given as number) >= min && (given as number) <= max
      ? { value: given as number }
      : `expected a whole number from ${min} to ${max}, got ${JSON.stringify(given)}`;
  if (!(Number.isInteger(min) && Number.isInteger(max) && min <= max && Number.isInteger(step) && step > 0))
    throw new Error(`${label}: ${min} to ${max} in steps of ${step} is no range of whole numbers`);
  const problem = read(value);
  if (typeof problem === "string") throw new Error(`${label}: ${problem}`);
  const state = { min, max, step, continuous_update: false, orientation: "horizontal", readout: true };
  return valueWidget<number>({
    name: "IntSlider",
    label,
    state: { ...state, readout_format: "d" },
    field: "value",
    initial: value,
    write: (number) => number,
    read,
  });
}

/** The file of an upload, as the page sends it. */
function uploadOf(written: unknown): { value: Upload | null } | string {
  const file = Array.isArray(written) ? (written[0] as Record<string, unknown> | undefined) : undefined;
  if (!file) return "no file";
  const { name, content } = file;
  if (typeof name !== "string" || !(content instanceof Uint8Array)) return "a file without a name or bytes";
  if (content.length > UPLOAD_BYTES)
    return `${name.slice(0, 200)}: ${(content.length / 2 ** 20).toFixed(1)} MB; at most ${UPLOAD_BYTES / 2 ** 20} MB are taken`;
  return { value: { name: name.slice(0, 200), bytes: content } };
}

/** Takes a file, such as an image's bytes, as it is: nobody looked into it yet. `set(null)` forgets it. */
export function fileUpload(label: string, { accept = "image/*" }: { accept?: string } = {}): Control<Upload | null> {
  return valueWidget<Upload | null>({
    name: "FileUpload",
    label,
    state: { accept, multiple: false, button_style: "", icon: "upload", error: "", value: [] },
    field: "value",
    initial: null,
    write: () => [],
    read: (written) => (Array.isArray(written) && written.length === 0 ? { value: null } : uploadOf(written)),
    keeps: false,
  });
}

/** A button. @param options.style its colour in the page's theme */
export function button(label: string, options: { style?: "" | "primary" | "danger"; tooltip?: string } = {}): Button {
  const listeners: (() => void | Promise<void>)[] = [];
  const widget = createWidget({
    name: "Button",
    state: {
      description: label,
      disabled: false,
      button_style: options.style ?? "",
      tooltip: options.tooltip ?? null,
      icon: "",
    },
    message: async (content) => {
      if ((content as { event?: unknown } | null)?.event !== "click") return;
      for (const listener of listeners) await listener();
    },
  });
  return {
    ...widget,
    onClick: (listener) => void listeners.push(listener),
    enable: (isEnabled) => widget.update({ disabled: !isEnabled }),
  };
}

/** A part of a page. */
export interface Html extends Widget {
  /** @param value HTML as it stands: text of data goes through `escapeHtml` before */
  set(value: string): void;
}

/** The front end sets lines of HTML as high as a control. */
const asText = (value: string): string => (value === "" ? "" : `<div style="line-height:1.4">${value}</div>`);

/** HTML as it stands: text of data goes through `escapeHtml` before. */
export function html(value = "", options: { layout?: WidgetParts["layout"] } = {}): Html {
  const widget = createWidget({
    name: "HTML",
    layout: options.layout,
    state: { value: asText(value), description: "", placeholder: "" },
  });
  return { ...widget, set: (text) => widget.update({ value: asText(text) }) };
}

/** A picture. */
export interface Picture extends Widget {
  /** @param bytes of a PNG */
  set(bytes: Uint8Array): void;
}

/** A picture of a PNG's bytes. */
export function image(bytes: Uint8Array, options: { layout?: WidgetParts["layout"] } = {}): Picture {
  const widget = createWidget({ name: "Image", layout: options.layout, state: { format: "png", value: bytes } });
  return { ...widget, set: (others) => widget.update({ value: others }) };
}

/** Widgets side by side, in as many lines as they need. */
export const row = (...children: Widget[]): Widget =>
  createWidget({ name: "HBox", state: { box_style: "" }, children, layout: { flex_flow: "row wrap" } });

/** Widgets one below the other. */
export const column = (...children: Widget[]): Widget =>
  createWidget({ name: "VBox", state: { box_style: "" }, children });
