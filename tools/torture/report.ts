/** docs/reliability.json: one object a kind of torture, the last figures of each. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { readJsonObject, writeText } from "../../lib/util/files";
import { root } from "../environment";

const FILE = path.join(root, "docs/reliability.json");

/** Puts a kind's figures in the place of its last ones; the others stay. */
export function report(kind: string, figures: Readonly<Record<string, unknown>>): void {
  const before = existsSync(FILE) ? readJsonObject(FILE) : {};
  writeText(FILE, `${JSON.stringify({ ...before, [kind]: figures }, null, 2)}\n`);
}
