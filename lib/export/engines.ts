/** Engines that training can go on with. */
export const ENGINES = ["trl", "llamafactory", "easyr1"] as const;
export type Engine = (typeof ENGINES)[number];
