/** A server sees sizes without end, and each is a trace: where there are many of a name, all of it are forgotten. */
import { engineStats, releaseTraces } from "../engine/compile";

const MOST = 64;

export function boundTraces(name: string): void {
  const isMine = (stats: { name: string }): boolean => stats.name === name;
  if (engineStats().filter(isMine).length > MOST) releaseTraces(isMine);
}
