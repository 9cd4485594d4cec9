/** The inputs of a kind by number: the same in every process. */
import * as fc from "fast-check";
import { foldIn } from "../../lib/util/random";
import type { Target } from "./targets";

/** Input `i` of a kind. */
export const inputAt = (target: Target, kind: string, seed: number, i: number): Buffer =>
  fc.sample(target.inputs, { seed: foldIn(seed, `${kind} ${i}`) | 0, numRuns: 1 })[0];
