/** Runs of tests: their folders in `data/runs` are removed when the test file ends. */
import { rmSync } from "node:fs";
import * as path from "node:path";
import { afterAll } from "vitest";
import { root } from "../../tools/environment";

/** A run's name that no other process has, with its folder; before any test has run. */
export function temporaryRun(name: string): { name: string; folder: string } {
  const whole = `test-${name}-${process.pid}`;
  const folder = path.join(root, "data/runs", whole);
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  remove();
  afterAll(remove);
  return { name: whole, folder };
}
