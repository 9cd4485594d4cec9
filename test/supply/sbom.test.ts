import { readFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { npmAudit, pythonAudit } from "../../tools/supply/audit";
import { lockedRequirements, npmDependencies, pythonDependencies } from "../../tools/supply/dependencies";
import { npmBom, withPython, type Bom } from "../../tools/supply/sbom";

const read = (file: string): string => readFileSync(path.join(__dirname, "../..", file), "utf8");

/** What CycloneDX 1.5 asks of a document, as far as this one goes. */
function faultsOf(bom: Bom): string[] {
  const faults: string[] = [];
  const refs = [bom.metadata.component["bom-ref"], ...bom.components.map((one) => one["bom-ref"])];
  const known = new Set(refs);
  if (bom.bomFormat !== "CycloneDX" || bom.specVersion !== "1.5" || !Number.isInteger(bom.version)) faults.push("head");
  if (known.size !== refs.length) faults.push("a bom-ref comes twice");
  for (const one of bom.components) {
    if (one.type !== "library" || one.name === "" || one.version === "") faults.push(`${one["bom-ref"]}: type, name`);
    for (const { alg, content } of one.hashes ?? [])
      if (
        !(alg === "SHA-256" && /^[0-9a-f]{64}$/.test(content)) &&
        !(alg === "SHA-512" && /^[0-9a-f]{128}$/.test(content))
      )
        faults.push(`${one["bom-ref"]}: ${alg} ${content}`);
    if ((one.hashes ?? []).length === 0) faults.push(`${one["bom-ref"]}: no hash`);
    const choices = one.licenses ?? [];
    if (choices.length > 1 && choices.some((choice) => "expression" in choice)) faults.push(`${one.name}: licences`);
  }
  for (const { ref, dependsOn = [] } of bom.dependencies)
    for (const name of [ref, ...dependsOn]) if (!known.has(name)) faults.push(`${name} is no component`);
  return faults;
}

describe("the bill of materials", () => {
  const lock = read("requirements.lock");
  const licences = Object.fromEntries(
    lockedRequirements(lock).map(({ name }) => [name, { expression: "MIT", licence: null, classifiers: [] }]),
  );
  const python = pythonDependencies(lock, licences);
  const bom = withPython(npmBom(), python, lockedRequirements(lock));

  it("has every package of both lock files, with its hash, and is what the format asks for", () => {
    expect(faultsOf(bom)).toEqual([]);
    expect(bom.metadata.component.name).toBe("fine-r1");
    const purls = new Set(bom.components.map(({ purl }) => purl));
    for (const { name, version } of python) expect(purls).toContain(`pkg:pypi/${name}@${version}`);
    const named = new Set(bom.components.map(({ name, version }) => `${name}@${version}`));
    const absent = npmDependencies(read("package-lock.json")).filter(
      ({ name, version }) => !named.has(`${name}@${version}`),
    );
    expect(absent).toEqual([]);
  });

  it("the Python packages are needs of the whole, and one without a plain licence has it by name", () => {
    const whole = bom.dependencies.find(({ ref }) => ref === bom.metadata.component["bom-ref"])!;
    expect(whole.dependsOn).toEqual(
      expect.arrayContaining(python.map(({ name, version }) => `pkg:pypi/${name}@${version}`)),
    );
    const [certifi] = withPython(
      { ...bom, components: [], dependencies: [] },
      [{ kind: "pypi", name: "certifi", version: "1", licence: "Words of its own" }],
      [],
    ).components;
    expect(certifi.licenses).toEqual([{ license: { name: "Words of its own" } }]);
  });
});

describe("advisories", () => {
  it("npm's: what is known, and a registry that does not answer is told from one that knows nothing", () => {
    const found = {
      vulnerabilities: {
        a: { severity: "high", via: [{ title: "it burns", range: "<2" }, "b"] },
        b: { severity: "low", via: ["a"] },
      },
      metadata: { dependencies: { total: 7 } },
    };
    expect(npmAudit(JSON.stringify(found))).toEqual({
      tool: "npm audit",
      asked: 7,
      vulnerabilities: ["a <2 (high): it burns"],
      unanswered: null,
    });
    const refused = npmAudit(
      JSON.stringify({ message: "405 Method Not Allowed - POST https://r.example/x", statusCode: 405 }),
    );
    expect(refused).toMatchObject({ asked: 0, unanswered: "405 Method Not Allowed - POST the registry" });
    expect(npmAudit("").unanswered).toMatch(/no JSON/);
  });

  it("pip-audit's: packages that it skipped are not packages without vulnerabilities", () => {
    const answer = {
      dependencies: [
        { name: "a", version: "1", vulns: [{ id: "CVE-1" }] },
        { name: "b", version: "1", vulns: [] },
        { name: "c", skip_reason: "not found at https://p.example" },
      ],
    };
    expect(pythonAudit(`Found 1\n${JSON.stringify(answer)}`, "pypi")).toEqual({
      tool: "pip-audit (pypi)",
      asked: 2,
      vulnerabilities: ["a 1: CVE-1"],
      unanswered: "1 packages not looked up; the first: not found at the registry",
    });
    expect(pythonAudit("Traceback", "osv")).toMatchObject({
      asked: 0,
      unanswered: "pip-audit ended without an answer",
    });
  });
});
