/** A command's options as words again: a task gets the command line that was given, with its slice in place of all. */

/** What is asked of an option; Commander's `Option` has it. */
export interface OptionFacts {
  long?: string;
  defaultValue?: unknown;
  attributeName(): string;
}

/**
 * Words of all options that were given or differ from their default. A list becomes an option that is repeated.
 * @param leave names of options that are no task's
 */
export function wordsOf(
  options: readonly OptionFacts[],
  values: Readonly<Record<string, unknown>>,
  leave: readonly string[] = [],
): string[] {
  return options.flatMap((option) => {
    const name = option.attributeName();
    const value = values[name];
    if (option.long === undefined || leave.includes(name) || value === undefined || value === false) return [];
    if (JSON.stringify(value) === JSON.stringify(option.defaultValue)) return [];
    if (value === true) return [option.long];
    return (Array.isArray(value) ? value : [value]).map((one) => `${option.long}=${String(one)}`);
  });
}
