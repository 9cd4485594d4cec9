/** Jinja templates of others, under limits: one that loops without end would hold the process for ever. */
import { Environment, Interpreter, Template } from "@huggingface/jinja";
import { createTimeLimit } from "../util/time-limit";

/** For one text; a chat template takes a millisecond. */
const LIMIT_MS = 5000;
/** Longest range, as Jinja's own sandbox has it. */
const LONGEST_RANGE = 100_000;
/** Longest text that a template may make, characters. */
const LONGEST_TEXT = 2 ** 24;

/** Fills in a template. */
export type Jinja = (values: Readonly<Record<string, unknown>>) => string;

/** How a template is compiled. */
export interface JinjaOptions {
  /** What its errors begin with: file and field. */
  where: string;
  /** True for a template that is known to end: no time is watched, which takes 0.1 ms. */
  isKnown?: boolean;
}

/** Python's `range`. @throws Error where it has more than 100,000 numbers */
function range(from: number, to?: number, step = 1): number[] {
  const [start, stop] = to === undefined ? [0, from] : [from, to];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(step !== 0 && length <= LONGEST_RANGE))
    throw new Error(`range(${start}, ${stop}, ${step}) has no length up to ${LONGEST_RANGE}`);
  return Array.from({ length }, (_, i) => start + i * step);
}

/** What every template may use, as the library has it, but for `range`. */
const GLOBALS: Readonly<Record<string, unknown>> = {
  ...{ true: true, True: true, false: false, False: false, none: null, None: null },
  raise_exception: (message: string) => {
    throw new Error(message);
  },
  range,
  strftime_now: (format: string) => new Template("{{ strftime_now(format) }}").render({ format }),
};

/**
 * Compiles a template. What it returns throws an Error that begins with `where`: the template's own, or that it took
 * longer than 5 s, or made more than 16,777,216 characters.
 * @throws Error that begins with `where`
 */
export function compileJinja(source: string, { where, isKnown = false }: JinjaOptions): Jinja {
  const named = (error: unknown): Error =>
    new Error(`${where}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  const limited = isKnown ? <T>(work: () => T): T => work() : createTimeLimit(LIMIT_MS);
  const late = (): Error => new Error(`the template took longer than ${LIMIT_MS / 1000} s; it may loop without end`);
  try {
    const { parsed } = limited(() => new Template(source), late);
    return (values) => {
      try {
        const environment = new Environment();
        for (const [name, value] of Object.entries({ ...GLOBALS, ...values })) environment.set(name, value);
        const text = limited(() => new Interpreter(environment).run(parsed), late).value as string;
        if (text.length <= LONGEST_TEXT) return text;
      } catch (error) {
        throw named(error);
      }
      throw new Error(`${where}: the template makes a text of more than ${LONGEST_TEXT} characters`);
    };
  } catch (error) {
    throw named(error);
  }
}
