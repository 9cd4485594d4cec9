/** The places that an import writes to: whether they are free, and what an earlier import left there. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import * as path from "node:path";
import { placesOf } from "../experiment/models";

/** Begins the stamp of an imported model. No stage has such a stamp, so a training refuses to replace the model. */
export const IMPORTED = "imported ";

/** Says where an imported model is from. */
export const noteOf = (home: string, method: string): string => path.join(home, "imported", `${method}.json`);

const stampOf = (place: string): string => `${place}.stamp`;

function isImported(place: string): boolean {
  return existsSync(stampOf(place)) && readFileSync(stampOf(place), "utf8").startsWith(IMPORTED);
}

/**
 * Looks at a model, an adapter and a log of that name, whichever of them is to be written.
 * @throws Error naming what is there: a result of this project, or an earlier import where `restart` is not asked for
 */
export function checkFree(home: string, method: string, restart: boolean): void {
  const { model, adapter, log } = placesOf(home, method);
  const there = [model, adapter, log].filter((place) => existsSync(place));
  if (there.length === 0) return;
  const noted = existsSync(noteOf(home, method));
  const own = there.find((place) => !noted || (place !== log && !isImported(place)));
  if (own !== undefined)
    throw new Error(`${own} is there already, made by this project; --run or --method gives another name`);
  if (!restart)
    throw new Error(`${there[0]} is there already; --restart imports anew; --run or --method gives another name`);
}

/**
 * Removes what an earlier import left beside the new model: one of the other kind, the log and TensorBoard's files.
 * @param target the new model or adapter
 * @returns whether there was a log
 */
export function removeEarlier(home: string, method: string, target: string): boolean {
  if (!existsSync(noteOf(home, method))) return false;
  const { model, adapter, log } = placesOf(home, method);
  const other = target === model ? adapter : model;
  const logged = existsSync(log);
  for (const place of [other, stampOf(other), log, path.join(home, "tensorboard", method)])
    rmSync(place, { recursive: true, force: true });
  return logged;
}
