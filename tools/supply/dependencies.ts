/** The dependencies of both sides: npm's from package-lock.json, Python's from requirements.lock and .venv. */
import { execFileSync } from "node:child_process";
import { venvPython } from "../environment";
import { NONE, pythonLicence, type Dependency, type LicenceFields } from "./licences";

/** Every package of package-lock.json, once for each version. */
export function npmDependencies(lock: string): Dependency[] {
  const { packages } = JSON.parse(lock) as { packages: Record<string, { version: string; license?: string }> };
  const all = Object.entries(packages).filter(([place]) => place !== "");
  const named = all.map(([place, { version, license }]) => {
    const name = place.slice(place.lastIndexOf("node_modules/") + "node_modules/".length);
    return [`${name}@${version}`, { kind: "npm" as const, name, version, licence: license || NONE }] as const;
  });
  return [...new Map(named).values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A package of requirements.lock. */
export interface LockedRequirement {
  name: string;
  version: string;
  /** SHA-256 of its wheels. */
  hashes: string[];
}

/** Every package of requirements.lock. */
export const lockedRequirements = (lock: string): LockedRequirement[] =>
  [...lock.matchAll(/^([\w.-]+)==([\w.]+).*\n((?: +--hash=.*\n?)+)/gm)].map(([, name, version, hashes]) => ({
    name,
    version,
    hashes: hashes.match(/[0-9a-f]{64}/g)!,
  }));

const METADATA = `
import importlib.metadata, json, re
print(json.dumps({
    re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(): {
        "expression": one.metadata.get("License-Expression"),
        "licence": one.metadata.get("License"),
        "classifiers": [c for c in one.metadata.get_all("Classifier", []) if c.startswith("License")],
    } for one in importlib.metadata.distributions()}))`;

/** What the packages in .venv say of their licences, by normalised name. */
export const installedLicences = (): Record<string, LicenceFields> =>
  JSON.parse(execFileSync(venvPython, ["-c", METADATA], { encoding: "utf8" })) as Record<string, LicenceFields>;

/** Packages that not every .venv has (another Python's, a GPU's, set-up's own), as they name their licences. */
const ELSEWHERE: readonly (readonly [RegExp, string])[] = [
  [/^nvidia-/, "LicenseRef-NVIDIA-Proprietary"],
  [/^(?:tensorflow(?:-cpu)?|overrides)$/, "Apache-2.0"],
  [/^(?:exceptiongroup|tomli)$/, "MIT"],
  [/^decorator$/, "BSD-2-Clause"],
  [/^ipython-pygments-lexers$/, "BSD-3-Clause"],
  [/^uv$/, "MIT OR Apache-2.0"],
];

/**
 * Every package of requirements.lock with its licence.
 * @param installed of `installedLicences`
 * @throws Error where .venv lacks a package whose licence is not known otherwise
 */
export function pythonDependencies(lock: string, installed: Record<string, LicenceFields>): Dependency[] {
  return lockedRequirements(lock).map(({ name, version }) => {
    const licence = installed[name]
      ? pythonLicence(installed[name])
      : ELSEWHERE.find(([names]) => names.test(name))?.[1];
    if (licence === undefined) throw new Error(`${name} is not in .venv: run set-up with TensorFlow, then again`);
    return { kind: "pypi", name, version, licence };
  });
}
