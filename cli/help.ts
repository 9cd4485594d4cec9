/** What help and the page of commands say of an option. */
import type { Option } from "@commander-js/extra-typings";

/** The default in words; null where there is none, or where a flag is off unless it is given. */
export function defaultOf(option: Option): string | null {
  const { defaultValue, defaultValueDescription } = option as {
    defaultValue: unknown;
    defaultValueDescription?: string;
  };
  if (defaultValue === undefined || option.isBoolean()) return null;
  return defaultValueDescription ?? String(defaultValue);
}

/** Choices and default in brackets, or nothing. */
export function factsOf(option: Option): string {
  const otherwise = defaultOf(option);
  const facts = [
    ...(option.argChoices ? [`one of ${option.argChoices.join(", ")}`] : []),
    ...(otherwise === null ? [] : [`default: ${otherwise}`]),
    ...(option.mandatory && otherwise === null ? ["needed"] : []),
  ];
  return facts.length === 0 ? "" : `(${facts.join("; ")})`;
}
