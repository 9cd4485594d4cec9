/** Under which licences the dependencies are, and why each goes with this repository's MIT licence. */

/** A package of either side, as it is installed. */
export interface Dependency {
  kind: "npm" | "pypi";
  name: string;
  version: string;
  /** An SPDX expression, or the words of its author where these are none. */
  licence: string;
}

/** In place of a licence, where a package's metadata names none. */
export const NONE = "none named";

/** Licences that ask for a notice at most: SPDX identifiers. */
const PERMISSIVE: ReadonlySet<string> = new Set([
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BlueOak-1.0.0",
  "CC0-1.0",
  "ISC",
  "MIT",
  "MIT-0",
  "PSF-2.0",
  "Zlib",
]);

/** Names in a package's metadata that are no SPDX identifiers. BSD without a number is the 3-clause one at most. */
const SPELLINGS: readonly (readonly [RegExp, string])[] = [
  [/^Apache(?: Software)?(?: License)?,?(?: Version)? ?(?:2(?:\.0)?)?(?: License)?$/i, "Apache-2.0"],
  [/^(?:The )?MIT(?: License)?(?: \(MIT\))?$/i, "MIT"],
  [/^(?:new |modified |3-clause )?BSD(?: 3-Clause)?(?: License)?$/i, "BSD-3-Clause"],
  [/^ISC(?: licen[cs]e)?(?: \(ISCL\))?$/i, "ISC"],
  [/^(?:PSFL|Python Software Foundation License)$/i, "PSF-2.0"],
  [/^Mozilla Public License 2\.0 \(MPL 2\.0\)$/i, "MPL-2.0"],
];

/** A licence by its SPDX identifier; as it stands where that is not known. */
export const spdx = (words: string): string =>
  SPELLINGS.find(([pattern]) => pattern.test(words.trim()))?.[1] ?? words.trim();

/** What a package's metadata says of its licence, the most exact first. */
export interface LicenceFields {
  expression: string | null;
  licence: string | null;
  classifiers: readonly string[];
}

/** The licence of a Python package; `none named` where its metadata has none. */
export function pythonLicence({ expression, licence, classifiers }: LicenceFields): string {
  if (expression !== null && expression !== "") return spdx(expression);
  const short = licence !== null && licence.length < 60 && licence !== "UNKNOWN" ? licence : "";
  const named = classifiers.map((line) => line.split(" :: ").at(-1)!).filter((line) => line !== "OSI Approved");
  return short !== "" && !/^BSD$/i.test(short) ? spdx(short) : spdx(named[0] || short || NONE);
}

/** Packages under other licences, why that is no obstacle, and how they are used. `licence` is what they had then. */
export const EXCEPTIONS: readonly { packages: RegExp; licence: RegExp; use: string }[] = [
  {
    packages: /^@img\/sharp-(?:libvips|wasm32|win32)/,
    licence: /LGPL-3\.0-or-later/,
    use: "libvips behind sharp: a library that is loaded at run time, unchanged, and no part of this repository",
  },
  {
    packages: /^(?:lightningcss(?:-.*)?|axe-core|@axe-core\/playwright)$/,
    licence: /^MPL-2\.0$/,
    use: "tests only, unchanged, no part of this repository",
  },
  {
    packages: /^(?:zeromq|certifi|fqdn)$/,
    licence: /MPL-2\.0/,
    use: "run time, unchanged, no part of this repository; the MPL holds for its own files",
  },
  {
    packages: /^@iconify-json\/(?:emojione|streamline-emojis|twemoji)$/,
    licence: /^CC-BY-4\.0$/,
    use: "drawings, read at run time; attributed in data/emoji-fgvr/ATTRIBUTION.md",
  },
  {
    packages: /^@iconify-json\/(?:emojione-v1|openmoji)$/,
    licence: /^CC-BY-SA-4\.0$/,
    use: "drawings, read at run time; a figure that shows them is under CC BY-SA 4.0 (data/emoji-fgvr/ATTRIBUTION.md)",
  },
  {
    packages: /^namex$/,
    licence: new RegExp(`^${NONE}$`),
    use: "names no licence in its metadata; its licence file is Apache-2.0",
  },
  {
    packages: /^nvidia-/,
    licence: /NVIDIA/,
    use: "NVIDIA's own licence: installed by the user with FINE_R1_DEVICE=gpu, loaded at run time, not passed on",
  },
];

/** Whether an SPDX expression is met by permissive licences: each part of AND, one of OR. */
export function isPermissive(expression: string): boolean {
  const whole = expression.trim().replace(/^\(([^()]*)\)$/, "$1");
  if (/[()]/.test(whole)) return false;
  return whole.split(/ OR /).some((choice) => choice.split(/ AND /).every((id) => PERMISSIVE.has(id.trim())));
}

/** How a package under another licence is used; null for a permissive one, undefined for one nobody has looked at. */
export function useOf({ name, licence }: Dependency): string | null | undefined {
  if (isPermissive(licence)) return null;
  return EXCEPTIONS.find((one) => one.packages.test(name) && one.licence.test(licence))?.use;
}

/** Packages by licence, and those under other licences than the permissive ones with their use. */
export interface LicenceReport {
  byLicence: Record<string, number>;
  others: (Dependency & { use: string })[];
}

/** @throws Error naming the packages whose licences nobody has looked at */
export function licenceReport(dependencies: readonly Dependency[]): LicenceReport {
  const unknown = dependencies.filter((one) => useOf(one) === undefined);
  if (unknown.length > 0)
    throw new Error(
      `licences that nobody has looked at: ${unknown.map(({ name, licence }) => `${name} (${licence})`).join(", ")}; ` +
        "see tools/supply/licences.ts",
    );
  const counts = new Map<string, number>();
  for (const { licence } of dependencies) counts.set(licence, (counts.get(licence) ?? 0) + 1);
  return {
    byLicence: Object.fromEntries([...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))),
    others: dependencies.flatMap((one) => {
      const use = useOf(one);
      return typeof use === "string" ? [{ ...one, use }] : [];
    }),
  };
}
