/** How much a run's settings ask for, where they say it. */
import { scaleSettings, type Settings } from "../experiment/settings";
import { WORKLOAD, type Workload } from "./stages";

/** Groups that a run's updates take. */
const usedGroups = ({ rl }: Pick<Settings, "rl">): number => rl.steps * rl.groupsPerStep;

/**
 * The work that settings count; of the paper's, `WORKLOAD`'s. Steps of RL are of so many sub-categories as the paper
 * has: with another number a plan makes more or fewer of them, in proportion.
 */
export function workloadOf(settings: Settings): Partial<Workload> {
  const { cot, sft, rl, shots } = settings;
  const steps = usedGroups(settings) / usedGroups(scaleSettings("paper"));
  return {
    shots,
    taughtImages: cot.images > 0 ? Math.min(cot.images, shots) : shots,
    descriptions: cot.descriptionsPerImage,
    rationales: cot.rationalesPerImage,
    sftEpochs: sft.epochs,
    rlEpochs: (WORKLOAD.rlEpochs * steps * WORKLOAD.shots) / shots,
    rollouts: rl.numGenerations,
    rescoredShare: (rl.updatesPerStep - 1) / rl.updatesPerStep,
  };
}
