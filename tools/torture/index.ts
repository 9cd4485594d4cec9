/** `npm run torture -- KIND [options]`: runs `tools/torture/KIND.ts` or `.mjs`; figures go to docs/reliability.json. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import * as path from "node:path";

const [kind = "", ...options] = process.argv.slice(2);
const file = [".ts", ".mjs"].map((ending) => path.join(__dirname, `${kind}${ending}`)).find(existsSync);
if (!/^[a-z]+$/.test(kind) || kind === "index" || file === undefined) {
  process.stderr.write(`torture: no kind ${JSON.stringify(kind)}; expected fuzz, kill, sanitize, soak or writes\n`);
  process.exit(1);
}
process.exit(spawnSync(process.execPath, ["--import", "tsx", file, ...options], { stdio: "inherit" }).status ?? 1);
