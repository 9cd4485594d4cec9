/** The study's committed results, as a notebook shows them. */
import type { PredictionRow } from "../../eval/rows";
import { archived, readArchived, type ResultSource } from "./archive";
import { archiveOf, groupFolder } from "./places";
import { studyTables, type StudyTables } from "./tables";
import type { Group } from "./variants";

export interface StudyResults extends StudyTables {
  /** Variant or baseline -> its rows of all seeds. */
  rows: ReadonlyMap<string, readonly PredictionRow[]>;
  sources: ResultSource[];
}

/**
 * Every committed prediction of a group, and what they say; null where there is none.
 * @param seeds only these; default all
 * @throws Error naming the file that is not as it was committed
 */
export function readStudy(
  group: Group,
  seeds?: readonly number[],
  folder: string = groupFolder(group),
): StudyResults | null {
  const place = archiveOf(folder);
  const sources = archived(place).filter(({ seed }) => seeds?.includes(seed) ?? true);
  if (sources.length === 0) return null;
  const rows = new Map<string, PredictionRow[]>();
  for (const source of sources) {
    const { rows: own } = readArchived(place, source);
    rows.set(source.variant, [...(rows.get(source.variant) ?? []), ...own]);
  }
  return { ...studyTables(rows), rows, sources };
}
