/** Where the study's results are: `docs/study/<group>`, committed. */
import * as path from "node:path";
import { repositoryRoot } from "../../util/root";
import type { Group } from "./variants";

/** The record of looks, the protocol, and a folder for each group. */
export const studyRoot = (): string => path.join(repositoryRoot(), "docs", "study");

export const groupFolder = (group: Group): string => path.join(studyRoot(), group);

/** A group's predictions. */
export const archiveOf = (folder: string): string => path.join(folder, "predictions");
