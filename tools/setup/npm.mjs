/** Set-up step: npm packages from the lock file, without their install scripts. */
import fs from "node:fs";
import path from "node:path";
import { readJson, run, StepError } from "./steps.mjs";

/**
 * Whether node_modules holds exactly what the lock file names. npm writes `node_modules/.package-lock.json` when it has
 * finished, and `npm ci` begins by removing it, so an interrupted installation is never taken for a whole one.
 */
export function isInstalled(lock, installed) {
  if (!lock || !installed) return false;
  const same = (a, b) => a !== undefined && b !== undefined && a.version === b.version && a.integrity === b.integrity;
  const wanted = Object.entries(lock.packages).filter(([name]) => name !== "");
  return (
    wanted.every(
      ([name, entry]) =>
        same(entry, installed.packages[name]) || (entry.optional === true && !(name in installed.packages)),
    ) && Object.keys(installed.packages).every((name) => name in lock.packages)
  );
}

/** Packages that npm's record of an installation names, but whose folder holds no package.json. */
export const withoutFiles = (root, installed) =>
  Object.keys(installed.packages).filter((name) => !fs.existsSync(path.join(root, name, "package.json")));

function npmCommand() {
  const cli = process.env.npm_execpath;
  return cli && path.basename(cli) === "npm-cli.js" ? [process.execPath, [cli]] : ["npm", []];
}

export const npmStep = {
  name: "npm",
  title: "npm packages",
  isDone({ root }) {
    const installed = readJson(path.join(root, "node_modules/.package-lock.json"));
    // a command like `npm install --package-lock-only` writes the record and no package
    return (
      isInstalled(readJson(path.join(root, "package-lock.json")), installed) &&
      withoutFiles(root, installed).length === 0
    );
  },
  async run({ root, log }) {
    const file = log("npm");
    const [command, args] = npmCommand();
    await run(command, [...args, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=warn"], {
      cwd: root,
      log: file,
    });
    const record = path.join(root, "node_modules/.package-lock.json");
    if (!fs.existsSync(record)) throw new StepError("npm ci left no node_modules/.package-lock.json", file);
    const absent = withoutFiles(root, readJson(record));
    if (absent.length > 0) {
      fs.rmSync(record); // so that the next set-up begins afresh
      throw new StepError(
        `npm ci left ${absent.length} packages without files (${absent[0]}): run the command again`,
        file,
      );
    }
  },
};
