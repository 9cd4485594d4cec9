/**
 * `precision=auto` may come to other products on a node than where the job was started: a GPU or a newer processor has
 * bfloat16. Identities of results hold what it came to, so results of such a node would be made again here. It cannot
 * be set for the tasks alone: the setting is a part of a run's name and of what its results are stamped with.
 */
import { hostname } from "node:os";
import { useBf16, type Products } from "../engine/precision";
import type { Settings } from "../experiment/settings";
import { PRODUCTS_VARIABLE } from "./plan";

/** What matrix products are computed in on this machine. */
export const productsAsked = ({ precision }: Pick<Settings, "precision">): Products =>
  useBf16(precision) ? "bfloat16" : "float32";

/**
 * @param here what products are computed in on this node
 * @throws Error where the job was started from a machine that has others
 */
export function checkProducts(
  settings: Pick<Settings, "precision">,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  here: Products = productsAsked(settings),
): void {
  const asked = environment[PRODUCTS_VARIABLE];
  if (asked === undefined || asked === here) return;
  throw new Error(
    `${hostname()}: precision=${settings.precision} is ${here} here, and ${asked} where the job was started, which would make these results again; give that command a precision that all have: --set precision=float32, or bfloat16 (evaluate: --precision)`,
  );
}
