/** docs/reliability.json: one object a kind of torture, the last figures of each; docs/reliability.md shows them. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { writeBlocks } from "../../lib/report/readme";
import { readJsonObject, writeText } from "../../lib/util/files";
import { root } from "../environment";
import { reliabilityBlock, type Reliability } from "./figures-block";

type Figures = Readonly<Record<string, unknown>>;

const FILE = path.join(root, "docs/reliability.json");

const readAll = (): Figures => (existsSync(FILE) ? readJsonObject(FILE) : {});

/** A kind's last figures; none where it never ran. */
export const reported = (kind: string): Figures => (readAll()[kind] ?? {}) as Figures;

/** Figures of kinds of input, in place of those of the same kinds alone: a run may be of one kind. */
export const withKinds = (before: Figures, kinds: Figures): Figures => ({
  kinds: { ...(before.kinds as Figures | undefined), ...kinds },
});

/** Puts a kind's figures in the place of its last ones; the others stay. */
export function report(kind: string, figures: Figures): void {
  const all = { ...readAll(), [kind]: figures };
  writeText(FILE, `${JSON.stringify(all, null, 2)}\n`);
  writeBlocks(root, { reliability: reliabilityBlock(all as Reliability) });
}
