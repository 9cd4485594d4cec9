import { readFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { isUsableWheel, lockText, packagesOf } from "../../tools/supply/lock";

const root = path.join(__dirname, "../..");
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");
const hash = (digit: string): string => digit.repeat(64);

describe("isUsableWheel", () => {
  it.each([
    ["six-1.17.0-py2.py3-none-any.whl", true],
    ["x-1-cp310-cp310-manylinux_2_27_x86_64.whl", true],
    ["x-1-cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", true],
    ["x-1-cp38-abi3-manylinux_2_28_x86_64.whl", true],
    ["x-1-py3-none-manylinux_2_27_x86_64.whl", true],
    ["x-1-1-py3-none-linux_x86_64.whl", true],
    ["x-1-cp39-cp39-manylinux_2_28_x86_64.whl", false],
    ["x-1-cp314-cp314-manylinux_2_28_x86_64.whl", false],
    ["x-1-cp314-abi3-manylinux_2_28_x86_64.whl", false],
    ["x-1-cp313-cp313t-manylinux_2_28_x86_64.whl", false],
    ["x-1-cp313-cp313-musllinux_1_2_x86_64.whl", false],
    ["x-1-cp313-cp313-manylinux_2_28_aarch64.whl", false],
    ["x-1-cp313-cp313-win_amd64.whl", false],
    ["x-1-py2-none-any.whl", false],
  ])("%s: %s", (file, usable) => expect(isUsableWheel(file)).toBe(usable));
});

/** A pylock.toml of packages. */
const pylock = (...packages: { name: string; marker?: string; files?: [string, string][] }[]): string =>
  packages
    .map(({ name, marker, files = [[`${name}-1-py3-none-any.whl`, "a"]] }) => {
      const wheels = files.map(
        ([file, digit]) => `{ url = "https://x/y/${file}", hashes = { sha256 = "${hash(digit)}" } }`,
      );
      const condition = marker === undefined ? "" : `marker = "${marker}"\n`;
      return `[[packages]]\nname = "${name}"\nversion = "1"\n${condition}wheels = [\n${wheels.join(",\n")}\n]\n`;
    })
    .join("\n");

describe("packagesOf", () => {
  it("takes the wheels for Linux x64, sorted, and leaves out what other systems need", () => {
    const text = pylock(
      {
        name: "b",
        files: [
          ["b-1-cp311-cp311-manylinux_2_28_x86_64.whl", "f"],
          ["b-1-cp310-cp310-linux_x86_64.whl", "0"],
          ["b-1-cp310-cp310-win32.whl", "9"],
        ],
      },
      { name: "mac", marker: "sys_platform == 'darwin'" },
      { name: "windows", marker: "os_name == 'nt'" },
    );
    expect(packagesOf(text)).toEqual([{ name: "b", version: "1", marker: null, hashes: [hash("0"), hash("f")] }]);
  });

  it.each([
    ["python_full_version < '3.11'", "python_full_version < '3.11'"],
    ["python_full_version < '3.11' and implementation_name != 'PyPy'", "python_full_version < '3.11'"],
    ["sys_platform != 'emscripten' and sys_platform != 'win32'", null],
    ["os_name != 'nt' or (sys_platform != 'emscripten' and sys_platform != 'win32')", null],
    ["python_full_version < '3.11' or (sys_platform != 'android' and sys_platform != 'cygwin')", null],
  ])("on Linux the marker %s is %s", (marker, expected) =>
    expect(packagesOf(pylock({ name: "a", marker }))[0].marker).toBe(expected),
  );

  it("refuses what it does not understand, and a package that can't be installed", () => {
    expect(() => packagesOf(pylock({ name: "a", marker: "sys_platform == 'linux' and os_name == 'x'" }))).toThrow(
      /not known/,
    );
    expect(() => packagesOf(pylock({ name: "a", files: [["a-1-cp310-cp310-win32.whl", "1"]] }))).toThrow(
      "a==1: no wheel for Linux x64",
    );
  });
});

describe("lockText", () => {
  const one = (name: string, marker: string | null = null) => ({ name, version: "1", marker, hashes: [hash("1")] });

  it("puts each package into the section of those who need it", () => {
    const always = [one("a"), one("uv")];
    const text = lockText({
      always,
      cpu: [...always, one("k"), one("tf-cpu")],
      gpu: [...always, one("k"), one("tf"), one("cuda")],
    });
    const sections = text
      .split(/^# \[(\w+)\]$/m)
      .slice(1)
      .map((part) => part.match(/^\S+(?===)/gm) ?? part);
    expect(sections).toEqual([
      "always",
      ["a"],
      "tensorflow",
      ["k"],
      "cpu",
      ["tf-cpu"],
      "gpu",
      ["tf", "cuda"],
      "uv",
      ["uv"],
    ]);
    expect(text).toContain(`\na==1 \\\n    --hash=sha256:${hash("1")}\n`);
  });

  it("refuses a package that TensorFlow changes", () => {
    const always = [one("a", "python_full_version < '3.11'")];
    expect(() => lockText({ always, cpu: [one("a")], gpu: always })).toThrow(
      /^a==1 ; .*: TensorFlow changes this package/,
    );
  });
});

describe("the lock files of this repository", () => {
  it("package-lock.json has a hash for every package, and no address of a registry", () => {
    const { packages } = JSON.parse(read("package-lock.json")) as {
      packages: Record<string, { integrity?: string; resolved?: string; link?: boolean }>;
    };
    const entries = Object.entries(packages).filter(([name]) => name !== "");
    expect(entries.length).toBeGreaterThan(100);
    expect(entries.filter(([, { integrity }]) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? ""))).toEqual([]);
    expect(entries.filter(([, { resolved, link }]) => resolved !== undefined || link)).toEqual([]);
  });

  it("requirements.lock has the versions of constraints.txt and what requirements.txt asks for", () => {
    const versions = (text: string): string[] =>
      [...text.matchAll(/^([\w.-]+)==([\w.]+)/gm)]
        .map(([, name, version]) => `${name.replaceAll("_", "-")}==${version}`)
        .sort();
    const lock = versions(read("requirements.lock"));
    expect(lock).toEqual(versions(read("constraints.txt")));
    expect(lock).toEqual(expect.arrayContaining(versions(read("requirements.txt"))));
    expect(read("requirements.lock")).not.toMatch(/https?:|files\.|index-url/);
  });
});
