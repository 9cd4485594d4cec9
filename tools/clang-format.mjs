/** `node tools/clang-format.mjs --check | --write`: the C++ of `native/` in the form of `.clang-format`. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const program = path.join(root, ".venv/bin/clang-format");
const MODES = { "--check": ["--dry-run", "--Werror"], "--write": ["-i"] };

/** The C++ files under a folder of the repository, relative to its root. */
function sources(folder) {
  return fs
    .readdirSync(path.join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const file = path.posix.join(folder, entry.name);
      if (entry.isDirectory()) return sources(file);
      return /\.(cc|h|inc)$/.test(entry.name) ? [file] : [];
    })
    .sort();
}

/** Formats or checks `native/`; returns the exit code. */
function main([mode]) {
  if (!Object.hasOwn(MODES, mode ?? "")) {
    console.error("Usage: node tools/clang-format.mjs --check | --write");
    return 1;
  }
  if (!fs.existsSync(program)) {
    console.error("clang-format: not in .venv; `npm run -s fine-r1 -- doctor` sets up (requirements.txt names it)");
    return 1;
  }
  const files = sources("native");
  const { status, error } = spawnSync(program, [...MODES[mode], ...files], { cwd: root, stdio: "inherit" });
  if (error) console.error(`clang-format: ${error.message}`);
  if (status === 0) console.log(`clang-format: ${files.length} files of native/`);
  else if (mode === "--check") console.error("clang-format: `npm run format` formats them");
  return status ?? 1;
}

process.exitCode = main(process.argv.slice(2));
