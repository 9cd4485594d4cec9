/** Names of the image sets that are known by their published layout. */

/** The paper's six sets under its words: also the name of the folder below `data/sets/`, and of the released files. */
export const SET_NAMES = ["aircraft", "bird", "car", "dog", "flower", "pet"] as const;
export type SetName = (typeof SET_NAMES)[number];

/** Sets with a reader of their own: the paper's six, and others that the paper does not use. */
export const PUBLISHED_NAMES = [...SET_NAMES, "grocery"] as const;
export type PublishedName = (typeof PUBLISHED_NAMES)[number];

/** Whether a text names one of the paper's six sets. */
export function isSetName(text: string): text is SetName {
  return (SET_NAMES as readonly string[]).includes(text);
}

/** Whether a text names a set that has a reader of its own. */
export function isPublishedName(text: string): text is PublishedName {
  return (PUBLISHED_NAMES as readonly string[]).includes(text);
}
