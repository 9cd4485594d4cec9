/** Fields of a request's body, each checked where it is read. */
import { shownValue } from "../util/json-text";
import { badField } from "./api-error";

/** The fields of a JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The value of a field, undefined where it is absent or null. @throws ApiError where it is not `ok` */
function field<T>(body: Fields, name: string, ok: (value: unknown) => boolean, expected: string): T | undefined {
  const value = Object.hasOwn(body, name) ? body[name] : undefined;
  if (value === undefined || value === null) return undefined;
  if (!ok(value)) throw badField(name, `is ${shownValue(value)}; expected ${expected}`, "invalid_value");
  return value as T;
}

/** A number for which `ok` holds. */
export const numberField = (
  body: Fields,
  name: string,
  ok: (value: number) => boolean,
  expected: string,
): number | undefined =>
  field(body, name, (value) => typeof value === "number" && Number.isFinite(value) && ok(value), expected);

/** A whole number in a range. */
export const wholeField = (body: Fields, name: string, least: number, most: number): number | undefined =>
  numberField(
    body,
    name,
    (value) => Number.isSafeInteger(value) && value >= least && value <= most,
    `a whole number from ${least} to ${most}`,
  );

export const flagField = (body: Fields, name: string): boolean =>
  field(body, name, (value) => typeof value === "boolean", "true or false") ?? false;

export const textField = (body: Fields, name: string): string | undefined =>
  field(body, name, (value) => typeof value === "string", "a text");

export const objectField = (body: Fields, name: string): Fields | undefined => field(body, name, isObject, "an object");

/** A text, or a list of texts, that are not empty. */
export function textsField(body: Fields, name: string, most: number, length: number): string[] {
  const isOne = (value: unknown): boolean => typeof value === "string" && value !== "" && value.length <= length;
  const found = field<string | string[]>(
    body,
    name,
    (value) => isOne(value) || (Array.isArray(value) && value.length <= most && value.every(isOne)),
    `a text or at most ${most} texts, each of 1 to ${length} characters`,
  );
  return found === undefined ? [] : [found].flat();
}
