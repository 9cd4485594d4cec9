/** Names of sub-categories as scoring compares them. */

/** Lower case, `_` read as a space, ends stripped, in Unicode's composed form (a Mac's folders are decomposed). */
export const plainName = (name: string): string => name.normalize("NFC").toLowerCase().replace(/_/g, " ").trim();

/** Whether one of two different names contains the other: an answer with the longer one would count as the shorter. */
export function namesContain(a: string, b: string): boolean {
  return plainName(a).includes(plainName(b)) || plainName(b).includes(plainName(a));
}
