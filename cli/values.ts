/** Values on the command line: every parser of an option's or argument's text, with what it expects in words. */
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { parseAddress } from "../lib/cluster/address";
import { parseStoreUrl } from "../lib/cluster/store-url";

/** A command line that cannot be run as it is; the message is followed by where the command's help is. */
export class UsageError extends Error {}

/** Which numbers an option takes. */
export interface NumberRange {
  whole?: boolean;
  /** Smallest value. */
  least?: number;
  /** Values are greater than this. */
  above?: number;
  /** Largest value. */
  most?: number;
}

/** A range in words: "a whole number of at least 1". */
export function describeRange({ whole, least, above, most }: NumberRange): string {
  const bounds = [
    ...(least === undefined ? [] : [`of at least ${least}`]),
    ...(above === undefined ? [] : [`above ${above}`]),
    ...(most === undefined ? [] : [`of at most ${most}`]),
  ];
  return [`a ${whole ? "whole " : ""}number`, bounds.join(" and ")].filter((part) => part !== "").join(" ");
}

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** The number that a text says. @throws InvalidArgumentError with the range in words */
export function parseNumber(text: string, range: NumberRange = {}): number {
  const value = DECIMAL.test(text.trim()) ? Number(text) : NaN;
  const { whole = false, least = -Infinity, above = -Infinity, most = Infinity } = range;
  const fits = Number.isFinite(value) && value >= least && value > above && value <= most;
  if (!fits || (whole && !Number.isSafeInteger(value)))
    throw new InvalidArgumentError(`expected ${describeRange(range)}`);
  return value;
}

/** Different whole numbers, separated by commas. @throws InvalidArgumentError */
export function parseSeeds(text: string): number[] {
  const seeds = text.split(",").map((part) => (/^\d{1,9}$/.test(part.trim()) ? Number(part) : NaN));
  if (seeds.some(Number.isNaN) || new Set(seeds).size !== seeds.length)
    throw new InvalidArgumentError("expected different whole numbers, separated by commas");
  return seeds;
}

/** Whole numbers of at least 1, separated by commas. @throws InvalidArgumentError */
export function parseCounts(text: string): number[] {
  return text.split(",").map((part) => parseNumber(part, { whole: true, least: 1 }));
}

/** Two prices, of what is read and what is written. @throws InvalidArgumentError */
export function parsePrices(text: string): { read: number; written: number } {
  const parts = text.split(",");
  if (parts.length !== 2) throw new InvalidArgumentError("expected two numbers with a comma: USD read, USD written");
  const [read, written] = parts.map((part) => parseNumber(part, { least: 0 }));
  return { read, written };
}

/** Names, separated by commas. @throws InvalidArgumentError where there is none */
export function parseNames(text: string): string[] {
  const names = text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (names.length === 0) throw new InvalidArgumentError("expected names, separated by commas");
  return names;
}

/** A word that can be (part of) a file's name. @throws InvalidArgumentError */
export function parseWord(text: string): string {
  if (!/^\w[\w.-]*$/.test(text)) throw new InvalidArgumentError("expected letters, digits, -, _ and . only");
  return text;
}

/**
 * The name of a run, which is that of its folder in `data/runs`: the rule of `lib/experiment/settings.ts`.
 * @throws InvalidArgumentError
 */
export function parseRunName(text: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(text))
    throw new InvalidArgumentError("expected letters, digits, - and _ only, at most 64");
  return text;
}

/**
 * The address of a Ray cluster.
 * @throws InvalidArgumentError; UsageError without the text, where it may hold a password
 */
export function parseRayAddress(text: string): string {
  try {
    return parseAddress(text);
  } catch (error) {
    if (text.includes("@")) throw new UsageError(`--ray: ${(error as Error).message}`);
    throw new InvalidArgumentError((error as Error).message);
  }
}

/** The URL of a store. @throws UsageError without the text, which may hold a key */
export function parseRayStore(text: string): string {
  try {
    return parseStoreUrl(text);
  } catch (error) {
    throw new UsageError(`--ray-store: ${(error as Error).message}`);
  }
}

/** One `NAME=VALUE` more. @throws InvalidArgumentError */
export function collectSetting(text: string, before: string[] | undefined): string[] {
  if (!/^[A-Za-z][\w.]*\s*=/.test(text))
    throw new InvalidArgumentError("expected NAME=VALUE, a setting (a benchmark is chosen by --benchmark)");
  return collect(text, before);
}

/** One value more of an option that can be repeated. */
export const collect = (text: string, before: string[] | undefined): string[] => [...(before ?? []), text];

/** Words as a sentence has them: "a, b or c". */
export function orOf(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`;
}
