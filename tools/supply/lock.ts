/** requirements.lock: every Python package with the hashes of its wheels for Linux x64, in sections by who needs it. */

/** One package of a pylock.toml, as far as it is used here. */
export interface LockedPackage {
  name: string;
  version: string;
  /** An environment marker such as `python_full_version < "3.11"`; null where it is always installed. */
  marker: string | null;
  /** SHA-256 of the wheels that Linux x64 with glibc can take, CPython 3.10 to 3.13; sorted. */
  hashes: string[];
}

/** Minor versions of CPython 3 that set-up takes (`tools/setup/prerequisites.mjs`). */
const MINORS = [10, 11, 12, 13];

/** Whether Linux x64 with glibc and a CPython of MINORS can install a wheel of this file name. */
export function isUsableWheel(file: string): boolean {
  const [python = "", abi = "", platform = ""] = file
    .replace(/\.whl$/, "")
    .split("-")
    .slice(-3);
  const platforms = platform.split(".");
  if (!platforms.some((tag) => tag === "any" || /^(?:many)?linux.*_x86_64$/.test(tag))) return false;
  const abis = abi.split(".");
  return python.split(".").some((tag) => {
    const [, kind, minor] = tag.match(/^(py|cp)3(\d*)$/) ?? [];
    if (kind === undefined) return false;
    if (kind === "py" || abis.includes("abi3")) return minor === "" || Number(minor) <= MINORS[MINORS.length - 1];
    return MINORS.includes(Number(minor)) && (abis.includes(tag) || abis.includes("none"));
  });
}

/** Parts of a marker that are always true, or never, on Linux with CPython. */
function onLinux(marker: string): string | null | false {
  if (/^(?:sys_platform == '(?:darwin|win32)'|os_name == 'nt')$/.test(marker)) return false;
  if (/(?:sys_platform|os_name) ==/.test(marker))
    throw new Error(`marker ${marker}: not known; see tools/supply/lock.ts`);
  const parts = marker.split(/ (?:and|or) (?![^(]*\))/);
  const isTrue = (part: string): boolean => /^\(?(?:sys_platform|os_name|implementation_name) !=/.test(part);
  if (marker.includes(" or ") && parts.some(isTrue)) return null;
  const kept = parts.filter((part) => !isTrue(part));
  return kept.length === 0 ? null : kept.join(" and ");
}

/**
 * Packages of a pylock.toml as uv writes it, those of other systems left out.
 * @throws Error naming a package without a wheel for Linux x64, or a marker that is not understood
 */
export function packagesOf(pylock: string): LockedPackage[] {
  return pylock
    .split("[[packages]]")
    .slice(1)
    .flatMap((block) => {
      const field = (name: string): string | undefined => block.match(new RegExp(`^${name} = "(.*)"$`, "m"))?.[1];
      const [name, version, condition] = ["name", "version", "marker"].map(field);
      if (name === undefined || version === undefined) throw new Error(`pylock.toml: no name or version in ${block}`);
      const marker = condition === undefined ? null : onLinux(condition);
      if (marker === false) return [];
      const wheels = [...block.matchAll(/url = "[^"]*\/([^"/]+\.whl)".*?sha256 = "([0-9a-f]{64})"/g)];
      const hashes = wheels.filter(([, file]) => isUsableWheel(decodeURIComponent(file))).map(([, , hash]) => hash);
      if (hashes.length === 0) throw new Error(`${name}==${version}: no wheel for Linux x64`);
      return [{ name, version, marker, hashes: hashes.sort() }];
    });
}

const lineOf = ({ name, version, marker }: LockedPackage): string =>
  `${name}==${version}${marker === null ? "" : ` ; ${marker}`}`;

/** Packages as pip and uv read them with `--require-hashes`. */
const entry = (one: LockedPackage): string =>
  [lineOf(one), ...one.hashes.map((hash) => `    --hash=sha256:${hash}`)].join(" \\\n");

/** What has been resolved: without TensorFlow, and with its CPU and its GPU build. */
export interface Resolutions {
  always: readonly LockedPackage[];
  cpu: readonly LockedPackage[];
  gpu: readonly LockedPackage[];
}

const HEAD = `# Every Python package that set-up installs, with the hashes of its wheels: Linux x64, CPython 3.10 to 3.13.
# Made by \`npm run supply -- lock\` from requirements.txt and constraints.txt. Set-up takes the sections it needs
# (tools/setup/python.mjs); a file of another hash is refused.`;

/**
 * The text of requirements.lock. Sections: `always`, `tensorflow` (either build's needs), `cpu`, `gpu`, and `uv`, which
 * set-up installs the others with.
 * @throws Error where the builds of TensorFlow want another version or marker of a package than the rest
 */
export function lockText({ always, cpu, gpu }: Resolutions): string {
  const lines = (list: readonly LockedPackage[]): Set<string> => new Set(list.map(lineOf));
  const [base, ofCpu, ofGpu] = [always, cpu, gpu].map(lines);
  for (const list of [ofCpu, ofGpu])
    for (const line of base) if (!list.has(line)) throw new Error(`${line}: TensorFlow changes this package`);
  const isUv = ({ name }: LockedPackage): boolean => name === "uv";
  const sections: [string, LockedPackage[]][] = [
    ["always", always.filter((one) => !isUv(one))],
    ["tensorflow", cpu.filter((one) => !base.has(lineOf(one)) && ofGpu.has(lineOf(one)))],
    ["cpu", cpu.filter((one) => !ofGpu.has(lineOf(one)))],
    ["gpu", gpu.filter((one) => !ofCpu.has(lineOf(one)))],
    ["uv", always.filter(isUv)],
  ];
  return `${[HEAD, ...sections.map(([name, list]) => `# [${name}]\n${list.map(entry).join("\n")}`)].join("\n\n")}\n`;
}
