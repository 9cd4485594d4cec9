import { readFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { lockedRequirements, npmDependencies, pythonDependencies } from "../../tools/supply/dependencies";
import { isPermissive, licenceReport, NONE, pythonLicence, useOf, type Dependency } from "../../tools/supply/licences";

const read = (file: string): string => readFileSync(path.join(__dirname, "../..", file), "utf8");

describe("isPermissive", () => {
  it.each([
    ["MIT", true],
    ["Apache-2.0 AND MIT", true],
    ["(BSD-3-Clause AND Apache-2.0)", true],
    ["MIT OR GPL-3.0-only", true],
    ["MIT AND GPL-3.0-only", false],
    ["GPL-3.0-only", false],
    ["LGPL-3.0-or-later", false],
    ["MPL-2.0", false],
    ["(MIT OR Apache-2.0) AND GPL-2.0-only", false],
    ["SEE LICENSE IN LICENSE", false],
    ["", false],
  ])("%s: %s", (expression, permissive) => expect(isPermissive(expression)).toBe(permissive));
});

describe("pythonLicence", () => {
  const fields = (expression: string | null, licence: string | null, ...classifiers: string[]) =>
    pythonLicence({ expression, licence, classifiers: classifiers.map((one) => `License :: OSI Approved :: ${one}`) });

  it("takes the expression, else a short licence, else the classifier", () => {
    expect(fields("MIT AND Zlib", "BSD", "ISC License (ISCL)")).toBe("MIT AND Zlib");
    expect(fields(null, "Apache License, Version 2.0")).toBe("Apache-2.0");
    expect(fields(null, "Apache 2.0", "BSD License")).toBe("Apache-2.0");
    expect(fields(null, "BSD", "BSD License")).toBe("BSD-3-Clause");
    expect(fields(null, `BSD 3-Clause License\n\n${"x".repeat(200)}`, "BSD License")).toBe("BSD-3-Clause");
    expect(fields(null, "UNKNOWN", "ISC License (ISCL)")).toBe("ISC");
    expect(fields(null, "GPL v3")).toBe("GPL v3");
    expect(fields(null, null)).toBe(NONE);
  });
});

describe("licenceReport", () => {
  const one = (name: string, licence: string): Dependency => ({ kind: "npm", name, version: "1", licence });

  it("counts licences and says how those that are not permissive are used", () => {
    const report = licenceReport([one("a", "MIT"), one("b", "MIT"), one("certifi", "MPL-2.0")]);
    expect(report.byLicence).toEqual({ MIT: 2, "MPL-2.0": 1 });
    expect(report.others.map(({ name, use }) => [name, use])).toEqual([
      ["certifi", expect.stringMatching(/^run time/)],
    ]);
  });

  it("names packages nobody has looked at, and one whose licence has changed", () => {
    const bad = [one("x", "GPL-3.0-only"), one("certifi", "AGPL-3.0-only"), one("y", NONE), one("a", "MIT")];
    expect(() => licenceReport(bad)).toThrow(
      "licences that nobody has looked at: x (GPL-3.0-only), certifi (AGPL-3.0-only), y (none named); see",
    );
  });
});

describe("the dependencies of this repository", () => {
  const saved = JSON.parse(read("docs/supply.json")) as { python: Record<string, string>; others: Dependency[] };

  it("are under licences that go with MIT, or are named with their use: npm's", () => {
    const npm = npmDependencies(read("package-lock.json"));
    expect(npm.length).toBeGreaterThan(300);
    expect(npm.filter((dependency) => useOf(dependency) === undefined)).toEqual([]);
    const others = saved.others.filter(({ kind }) => kind === "npm").map(({ name, version }) => `${name}@${version}`);
    expect(others).toEqual(npm.filter(useOf).map(({ name, version }) => `${name}@${version}`));
  });

  it("and Python's: docs/supply.json lists every package of requirements.lock", () => {
    const locked = lockedRequirements(read("requirements.lock"));
    expect(Object.keys(saved.python)).toEqual(locked.map(({ name, version }) => `${name}==${version}`));
    const all = Object.entries(saved.python).map(([key, licence]): Dependency => {
      const [name, version] = key.split("==");
      return { kind: "pypi", name, version, licence };
    });
    expect(() => licenceReport(all)).not.toThrow();
    expect(saved.others.filter(({ kind }) => kind === "pypi").map(({ name }) => name)).toEqual(
      all.filter(useOf).map(({ name }) => name),
    );
  });

  it("a package that is in no .venv and unknown otherwise is an error by name", () => {
    const lock = `new-one==1.0 \\\n    --hash=sha256:${"a".repeat(64)}\n`;
    expect(lockedRequirements(lock)).toEqual([{ name: "new-one", version: "1.0", hashes: ["a".repeat(64)] }]);
    expect(() => pythonDependencies(lock, {})).toThrow(/^new-one is not in \.venv/);
  });
});
