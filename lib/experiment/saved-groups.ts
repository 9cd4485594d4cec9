/** Groups of rollouts that Stage 2 leaves of each step, to be looked at afterwards. */
import { rmSync } from "node:fs";
import type { Group } from "../rollout/groups";
import type { RlMethod } from "../train/methods";
import { appendRows, readAppended } from "../util/append-log";
import { writeJsonl } from "../util/files";
import { placesOf } from "./models";
import type { Experiment } from "./types";

/** Groups kept of a step. */
const PER_STEP = 2;
/** Digits that a saved log-prob keeps. */
const DIGITS = 6;

/** A group and the step (from 1) that it was sampled for. */
export interface SavedGroup {
  step: number;
  group: Group;
}

/** The groups of a step that are saved: those that the update used first. */
export function chosenGroups(sampled: readonly Group[]): Group[] {
  return [...sampled.filter(({ kept }) => kept), ...sampled.filter(({ kept }) => !kept)].slice(0, PER_STEP);
}

const rounded = (group: Group): Group => ({
  ...group,
  rollouts: group.rollouts.map((rollout) => ({
    ...rollout,
    logProbs: rollout.logProbs.map((value) => Number(value.toPrecision(DIGITS))),
  })),
});

/** Rows of the file: what a killed process left half-written is dropped. */
type Row = SavedGroup & { place: number };

/**
 * Begins a file of saved groups, or goes on with it after a step: rows of later steps, which are made again, are
 * removed, so that the file is that of a training that nothing interrupted.
 * @param after the step that the training goes on after; 0 where it begins
 */
export function openSavedGroups(file: string, after: number): (step: number, sampled: readonly Group[]) => void {
  const kept = after > 0 ? readAppended<Row>(file).filter(({ step }) => step <= after) : [];
  if (kept.length > 0) writeJsonl(file, kept);
  else rmSync(file, { force: true });
  return (step, sampled) =>
    appendRows(
      file,
      chosenGroups(sampled).map((group, place) => ({ step, place, group: rounded(group) })),
    );
}

/** Rows of such a file in order of step; of rows with one step and place, the last. */
export function readSavedGroups(file: string): SavedGroup[] {
  const rows = new Map<string, Row>();
  for (const row of readAppended<Row>(file)) rows.set(`${row.step} ${row.place}`, row);
  return [...rows.values()]
    .sort((a, b) => a.step - b.step || a.place - b.place)
    .map(({ step, group }) => ({ step, group }));
}

/**
 * Up to two groups of each step of a method's training, as they were sampled: text, reward, advantage, and log-probs
 * under the policy of that step. Empty where the run has none.
 */
export function savedGroups({ folder }: Pick<Experiment, "folder">, method: RlMethod): SavedGroup[] {
  return readSavedGroups(placesOf(folder, method).rollouts);
}
