/** Settings declared once: type, default, check and help of each come from one place. */

import { shortened, shownValue } from "./json-text";
import { nameSimilarity } from "./spelling";

/** One setting. */
export interface Declared<T> {
  readonly default: T;
  /** What it is, with its unit, in a sentence. */
  readonly help: string;
  /** What is allowed, in words. */
  readonly allowed: string;
  /** The value of a text, or null where it is not allowed. */
  parse(text: string): T | null;
}

/** Settings by name, in groups at most one deep. */
export interface Declarations {
  readonly [name: string]: Declared<unknown> | Declarations;
}

/** The values of declarations, as one typed record. */
export type Values<D> = {
  -readonly [K in keyof D]: D[K] extends Declared<infer T> ? T : D[K] extends Declarations ? Values<D[K]> : never;
};

/** A whole number of at least `least` (default 1; 0 where it means "none" or "all"). */
export function count(value: number, help: string, least = 1): Declared<number> {
  const parse = (text: string): number | null => {
    const n = Number(text);
    return text.trim() !== "" && Number.isInteger(n) && n >= least ? n : null;
  };
  return { default: value, help, allowed: `a whole number of at least ${least}`, parse };
}

/** A number of at least 0. */
export function amount(value: number, help: string): Declared<number> {
  const parse = (text: string): number | null => {
    const n = Number(text);
    return text.trim() !== "" && Number.isFinite(n) && n >= 0 ? n : null;
  };
  return { default: value, help, allowed: "a number of at least 0", parse };
}

/** One of some words. */
export function choice<const T extends string>(words: readonly T[], value: T, help: string): Declared<T> {
  return {
    default: value,
    help,
    allowed: `one of ${words.join(", ")}`,
    parse: (text) => words.find((word) => word === text) ?? null,
  };
}

/** Any text that is not empty, or one that `pattern` allows. */
export function text(value: string, help: string, pattern = /./, allowed = "a text"): Declared<string> {
  return { default: value, help, allowed, parse: (given) => (pattern.test(given) ? given : null) };
}

const isDeclared = (x: Declared<unknown> | Declarations): x is Declared<unknown> => typeof x.parse === "function";

/** The default values. */
export function defaultsOf<D extends Declarations>(declarations: D): Values<D> {
  return Object.fromEntries(
    Object.entries(declarations).map(([name, one]) => [name, isDeclared(one) ? one.default : defaultsOf(one)]),
  ) as Values<D>;
}

/** Every setting with its whole name, `rl.steps`, in order. */
export function listed(declarations: Declarations, prefix = ""): { name: string; declared: Declared<unknown> }[] {
  return Object.entries(declarations).flatMap(([name, one]) =>
    isDeclared(one) ? [{ name: prefix + name, declared: one }] : listed(one, `${prefix}${name}.`),
  );
}

/** Trigrams in common from which on a name counts as a slip of the pen. */
const SLIP = 0.3;

/** The name that was probably meant: spelled alike as a whole, or without its group. */
function meantName(name: string, all: readonly { name: string }[]): string | undefined {
  const last = (whole: string): string => whole.slice(whole.lastIndexOf(".") + 1);
  const alike = (one: string): number => Math.max(nameSimilarity(one, name), nameSimilarity(last(one), last(name)));
  const [best] = all
    .map((one) => ({ name: one.name, score: alike(one.name) }))
    .filter(({ score }) => score >= SLIP)
    .sort((a, b) => b.score - a.score);
  return best?.name;
}

/**
 * The name and the value of `name=value`.
 * @throws Error on an unknown name (with the one that is spelled alike, and those of its group) or a value that is not
 * allowed
 */
export function parseAssignment(declarations: Declarations, assignment: string): { name: string; value: unknown } {
  const at = assignment.indexOf("=");
  if (at < 1) throw new Error(`setting ${shownValue(assignment)}: expected name=value`);
  const [name, given] = [assignment.slice(0, at).trim(), assignment.slice(at + 1).trim()];
  const all = listed(declarations);
  const found = all.find((one) => one.name === name);
  if (!found) {
    const isGroup = all.some((one) => one.name.startsWith(`${name}.`));
    const group = isGroup ? `${name}.` : name.slice(0, name.indexOf(".") + 1);
    const near = all.filter((one) => (group === "" ? !one.name.includes(".") : one.name.startsWith(group)));
    const known = (near.length > 0 ? near : all).map((one) => one.name).join(", ");
    const meant = isGroup ? undefined : meantName(name, all);
    const question = meant === undefined ? "known here" : `did you mean ${meant}? Known here`;
    throw new Error(`unknown setting ${shownValue(name)}; ${question}: ${known} (docs/settings.md)`);
  }
  const value = found.declared.parse(given);
  if (value === null) throw new Error(`setting ${name}=${shortened(given)}: expected ${found.declared.allowed}`);
  return { name, value };
}

/** The value of a setting by its whole name, `rl.steps`; undefined where the values lack it or its group. */
export const settingValue = (values: object, name: string): unknown =>
  name.split(".").reduce<unknown>((of, key) => (of as Record<string, unknown> | null | undefined)?.[key], values);

/** `values` with one setting changed; they stay as they are. */
export function withSetting<T extends object>(values: T, name: string, value: unknown): T {
  const [first, ...rest] = name.split(".");
  const old = (values as Record<string, unknown>)[first];
  return { ...values, [first]: rest.length === 0 ? value : withSetting(old as object, rest.join("."), value) };
}
