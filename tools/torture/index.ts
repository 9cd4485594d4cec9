/** `npm run torture -- KIND [options]`: runs `tools/torture/KIND.ts`; what it finds goes to docs/reliability.json. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import * as path from "node:path";

const [kind = "", ...options] = process.argv.slice(2);
const file = path.join(__dirname, `${kind}.ts`);
if (!/^[a-z]+$/.test(kind) || kind === "index" || !existsSync(file)) {
  process.stderr.write(
    `torture: no kind ${JSON.stringify(kind)}; expected kill, soak or another file of tools/torture\n`,
  );
  process.exit(1);
}
process.exit(spawnSync(process.execPath, ["--import", "tsx", file, ...options], { stdio: "inherit" }).status ?? 1);
