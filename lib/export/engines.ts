/** Engines that training can go on with. */
export const ENGINES = ["trl", "llamafactory", "swift", "easyr1"] as const;
export type Engine = (typeof ENGINES)[number];
