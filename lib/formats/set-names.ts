/** Names of the six image sets. */

/** The six sets under the paper's words: also the name of the folder below `data/sets/`, and of the released files. */
export const SET_NAMES = ["aircraft", "bird", "car", "dog", "flower", "pet"] as const;
export type SetName = (typeof SET_NAMES)[number];

/** Whether a text names one of the six sets. */
export function isSetName(text: string): text is SetName {
  return (SET_NAMES as readonly string[]).includes(text);
}
