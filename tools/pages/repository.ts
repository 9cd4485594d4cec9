/** Where the repository can be read on the web, for links to source files. */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { readJsonObject } from "../../lib/util/files";

/**
 * The web address of a repository's remote, without an ending slash. Names and passwords in it are left out.
 * @param remote as git or npm write it: `git@host:owner/name.git`, `git+https://host/owner/name.git`, `github:o/n`
 * @returns null for what is no web host: a folder of some machine, say
 */
export function webAddress(remote: string): string | null {
  const short = /^(?:github:)?([\w.-]+\/[\w.-]+)$/.exec(remote.trim());
  if (short && !remote.startsWith(".")) return `https://github.com/${short[1]}`;
  const scp = /^[\w.-]+@([\w.-]+):(?!\/)([\w./~-]+?)(?:\.git)?\/?$/.exec(remote.trim());
  if (scp) return `https://${scp[1]}/${scp[2]}`;
  const url = /^(?:git\+)?(?:https?|ssh|git):\/\/(?:[^@/\s]*@)?([\w.-]+)(?::\d+)?\/([\w./~-]+?)(?:\.git)?\/?$/.exec(
    remote.trim(),
  );
  return url ? `https://${url[1]}/${url[2]}` : null;
}

/** What package.json's `repository` says, else git's remote `origin`; null where neither names a web host. */
export function repositoryAddress(root: string): string | null {
  const file = path.join(root, "package.json");
  const declared = fs.existsSync(file) ? readJsonObject(file).repository : undefined;
  const url = typeof declared === "object" ? (declared as { url?: unknown } | null)?.url : declared;
  if (typeof url === "string") return webAddress(url);
  try {
    const origin = execFileSync("git", ["-C", root, "config", "--get", "remote.origin.url"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return webAddress(origin);
  } catch {
    return null; // no git, no repository or no remote
  }
}
