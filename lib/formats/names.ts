/** Names of sub-categories as scoring compares them. */
import { normaliseName } from "../reward/listing";

/** Lower case, letters composed, `_` read as a space, ends stripped. */
export const plainName = (name: string): string => normaliseName(name).trim();

/** Whether one of two different names contains the other: an answer with the longer one would count as the shorter. */
export function namesContain(a: string, b: string): boolean {
  return plainName(a).includes(plainName(b)) || plainName(b).includes(plainName(a));
}
