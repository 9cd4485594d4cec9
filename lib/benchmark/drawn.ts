/** The benchmarks of drawings by name: one in which every test designer is new, and the study's, by domains. */
import type { Edition } from "./emoji-fgvr/paths";

/** What a name opens: an edition, and the group of its domains that is asked about. */
export interface DrawnBenchmark {
  readonly edition: Edition;
  readonly only?: string;
}

export const DRAWN: ReadonlyMap<string, DrawnBenchmark> = new Map([
  ["emoji-fgvr", { edition: "emoji-fgvr" }],
  ["emoji-study-dev", { edition: "emoji-study", only: "dev" }],
  ["emoji-study-test", { edition: "emoji-study", only: "test" }],
]);

/** Whether a benchmark's name stands for drawings, which are equal squares. */
export const isDrawn = (name: string): boolean => DRAWN.has(name);

/** Whether it is one of the study's two groups of domains, which share a base. */
export const isStudy = (name: string): boolean => DRAWN.get(name)?.edition === "emoji-study";
