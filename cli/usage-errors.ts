/** What is wrong with a command line, in one line: option, value, what is expected. */
import type { CommanderError, CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { orOf, UsageError } from "./values";

/**
 * An option of an earlier version: what it is called now. Where `now` is given, it concerns only commands that have
 * that option.
 */
interface Renamed {
  old: string;
  now?: string;
  command?: string;
  say: string;
}

const RENAMED: readonly Renamed[] = [
  { old: "--set", now: "--benchmark", say: "--benchmark NAME (--set is for settings, where a command has any)" },
  { old: "--folder", now: "--benchmark", say: "--benchmark FOLDER (a path with a /)" },
  { old: "--override", now: "--set", say: "--set NAME=VALUE" },
  { old: "--base-url", now: "--endpoint", say: "--endpoint URL" },
  { old: "--base-url", now: "--teacher", say: "--teacher URL" },
  { old: "--endpoint", now: "--teacher", say: "--teacher URL" },
  { old: "--data", now: "--triplets", say: "--triplets FILE" },
  { old: "--data", now: "--teacher", say: "--teacher FILE" },
  { old: "--adapter", now: "--start", say: "--start DIR" },
  { old: "--shots", now: "--set", say: "--set shots=N" },
  { old: "--descriptions", command: "cot", say: "--set cot.descriptionsPerImage=N" },
  { old: "--samples", command: "cot", say: "--set cot.rationalesPerImage=N" },
  { old: "--out", now: "--teacher", say: "--run NAME (results are in data/runs/NAME)" },
  { old: "--embedding", now: "--similarity", say: "--similarity names, model or a directory" },
  {
    old: "--root",
    now: "--images",
    say: "--sets DIR (folder of all image sets), --benchmark FOLDER (of a set of your own) or --images DIR (of a file's images)",
  },
  {
    old: "--root",
    now: "--sets",
    say: "--sets DIR (folder of all image sets) or --benchmark FOLDER (of a set of your own)",
  },
  { old: "--skip-bad-rows", now: "--on-bad-row", say: "--on-bad-row skip" },
  { old: "--prompt", now: "--template", say: "--template TEXT" },
  { old: "--rank", now: "--set", say: "--set lora.rank=N" },
];

const longOf = (command: CommandUnknownOpts): Map<string, Option> =>
  new Map((command.options as Option[]).map((option) => [option.long ?? option.flags, option]));

function renamed(command: CommandUnknownOpts, flag: string): Renamed | undefined {
  const options = longOf(command);
  return RENAMED.find(
    ({ old, now, command: of }) =>
      old === flag && (now === undefined || options.has(now)) && (of === undefined || of === command.name()),
  );
}

/**
 * Looks at the options before they are read: one that is unknown is said before one that is missing, and an option is
 * not taken for the value of another.
 * @throws UsageError @throws CommanderError
 */
export function checkOptions(command: CommandUnknownOpts, args: readonly string[]): void {
  const options = longOf(command);
  for (let i = 0; i < args.length && args[i] !== "--"; i++) {
    if (!args[i].startsWith("--")) continue;
    const [flag, value] = args[i].split("=", 2);
    const option = options.get(flag);
    if (option === undefined) {
      const other = renamed(command, flag);
      if (other) throw new UsageError(`${flag} is now ${other.say}`);
      (command as unknown as { unknownOption(flag: string): void }).unknownOption(flag);
    } else if (option.required && value === undefined) {
      i++;
      if (i >= args.length || options.has(args[i].split("=", 1)[0]))
        throw new UsageError(`${flag} needs a value: ${metavar(option)}`);
    } else if (option.isBoolean() && value !== undefined) throw new UsageError(`${flag} takes no value`);
  }
}

/** What an option takes: its choices, or what its flags say. */
const metavar = ({ flags, argChoices }: Option): string =>
  argChoices ? orOf(argChoices) : (/<(.*)>/.exec(flags)?.[1] ?? "VALUE");

const expected = (why: string): string => {
  const choices = /^Allowed choices are (.*)\.$/.exec(why);
  return choices ? `expected ${orOf(choices[1].split(", "))}` : why;
};

/** Commander's messages in this project's words. */
const TRANSLATIONS: readonly [RegExp, (...parts: string[]) => string][] = [
  [
    /^error: option '(--[\w-]+)[^']*' argument '(.*)' is invalid\. (.*)$/s,
    (option, value, why) => `${option} is ${JSON.stringify(value)}; ${expected(why)}`,
  ],
  [
    /^error: command-argument value '(.*)' is invalid for argument '(.*)'\. (.*)$/s,
    (value, name, why) => `${name} is ${JSON.stringify(value)}; ${expected(why)}`,
  ],
  [/^error: missing required argument '(.*)'$/, (name) => `${name} is missing`],
  [
    /^error: option '(--[\w-]+)[^']*' cannot be used with option '(--[\w-]+)[^']*'$/,
    (one, other) => `${one} and ${other} cannot be given together`,
  ],
  [
    /^error: unknown (option|command) '(.*?)'(?:\s*\(Did you mean (?:one of )?(.*)\?\))?$/s,
    (kind, name, near) => `unknown ${kind} ${name}${near ? `; did you mean ${near}?` : ""}`,
  ],
  [
    /^error: too many arguments.*Expected (\d+) arguments? but got (\d+)\.$/s,
    (most, got) => `${got} arguments; at most ${most} expected`,
  ],
];

/** A message for people, on one line. @param command whose command line it is */
export function explain(error: CommanderError, command: CommandUnknownOpts): string {
  const missing = /^error: required option '(--[\w-]+)/.exec(error.message);
  const option = missing && longOf(command).get(missing[1]);
  if (option) return `${option.long} is missing: ${metavar(option)}`;
  for (const [pattern, say] of TRANSLATIONS) {
    const match = pattern.exec(error.message);
    if (match) return say(...match.slice(1));
  }
  return error.message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
}
