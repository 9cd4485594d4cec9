/** What the registries' advisories say of the pinned packages, and what of them could not be asked. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { root } from "../environment";

/** The answer about one side. */
export interface Audit {
  tool: string;
  /** Packages that the tool had an answer for. */
  asked: number;
  /** Known vulnerabilities, one a line; of nothing asked there are none, which says nothing. */
  vulnerabilities: string[];
  /** Why packages were not looked up, in one line without addresses; null where all were. */
  unanswered: string | null;
}

const withoutAddresses = (text: string): string => text.replace(/(?:https?:\/\/)\S+/g, "the registry").trim();

/** `npm audit --json`, as it was printed. */
export function npmAudit(printed: string): Audit {
  const tool = "npm audit";
  const none = (why: string): Audit => ({ tool, asked: 0, vulnerabilities: [], unanswered: withoutAddresses(why) });
  let answer: {
    message?: string;
    error?: { summary?: string };
    vulnerabilities?: Record<string, { severity: string; via: (string | { title: string; range: string })[] }>;
    metadata?: { dependencies?: { total?: number } };
  };
  try {
    answer = JSON.parse(printed) as typeof answer;
  } catch {
    return none("npm audit printed no JSON");
  }
  if (answer.vulnerabilities === undefined) return none(answer.message || answer.error?.summary || "no answer");
  const lines = Object.entries(answer.vulnerabilities).flatMap(([name, { severity, via }]) =>
    via.flatMap((one) => (typeof one === "string" ? [] : [`${name} ${one.range} (${severity}): ${one.title}`])),
  );
  return { tool, asked: answer.metadata?.dependencies?.total ?? 0, vulnerabilities: lines.sort(), unanswered: null };
}

/** `pip-audit --format json`, as it was printed. It says "no known vulnerabilities" of packages that it never found. */
export function pythonAudit(printed: string, service: string): Audit {
  const tool = `pip-audit (${service})`;
  let answer: { dependencies: { name: string; skip_reason?: string; version?: string; vulns?: { id: string }[] }[] };
  try {
    answer = JSON.parse(printed.slice(printed.indexOf("{"))) as typeof answer;
  } catch {
    return { tool, asked: 0, vulnerabilities: [], unanswered: "pip-audit ended without an answer" };
  }
  const skipped = answer.dependencies.filter((one) => one.skip_reason !== undefined);
  const asked = answer.dependencies.filter((one) => one.skip_reason === undefined);
  const lines = asked.flatMap(({ name, version, vulns = [] }) => vulns.map(({ id }) => `${name} ${version}: ${id}`));
  const why = `${skipped.length} packages not looked up; the first: ${skipped[0]?.skip_reason}`;
  return {
    tool,
    asked: asked.length,
    vulnerabilities: lines.sort(),
    unanswered: skipped.length === 0 ? null : withoutAddresses(why),
  };
}

/** Asks npm's registry about package-lock.json. */
export const askNpm = (): Audit =>
  npmAudit(spawnSync("npm", ["audit", "--json", "--audit=true"], { cwd: root, encoding: "utf8" }).stdout ?? "");

/**
 * Asks about requirements.lock, by pip-audit, which uv fetches.
 * @param requirements with hashes
 */
export function askPython(requirements: string, service: "pypi" | "osv"): Audit {
  const folder = mkdtempSync(path.join(tmpdir(), "fine-r1-audit-"));
  try {
    const file = path.join(folder, "requirements.txt");
    writeFileSync(file, requirements);
    const uv = path.join(root, ".setup/uv/bin/uv");
    const args = ["tool", "run", "pip-audit", "--disable-pip", "--no-deps", "-r", file, "-s", service, "-f", "json"];
    const said = spawnSync(uv, args, { cwd: folder, encoding: "utf8", timeout: 300_000 });
    return pythonAudit(said.stdout ?? "", service);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
