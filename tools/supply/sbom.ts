/** The bill of materials: CycloneDX 1.5 by `npm sbom`, with the Python packages added. */
import { spawnSync } from "node:child_process";
import { root } from "../environment";
import type { LockedRequirement } from "./dependencies";
import { isPermissive, type Dependency } from "./licences";

/** As much of a CycloneDX document as is read or written here. */
export interface Bom {
  bomFormat: string;
  specVersion: string;
  version: number;
  metadata: { component: { "bom-ref": string; name: string } & Record<string, unknown> } & Record<string, unknown>;
  components: Component[];
  dependencies: { ref: string; dependsOn?: string[] }[];
}

/** A package in it. */
export interface Component {
  "bom-ref": string;
  type: string;
  name: string;
  version: string;
  purl?: string;
  hashes?: { alg: string; content: string }[];
  licenses?: ({ expression: string } | { license: { id?: string; name?: string } })[];
}

/** `npm sbom` of package-lock.json. @throws Error with what npm said */
export function npmBom(): Bom {
  const args = ["sbom", "--sbom-format", "cyclonedx", "--package-lock-only"];
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`npm sbom failed: ${stderr.trim()}`);
  return JSON.parse(stdout) as Bom;
}

/** The same document with the Python packages, each a need of the whole; its component is named after the project. */
export function withPython(bom: Bom, packages: readonly Dependency[], locked: readonly LockedRequirement[]): Bom {
  const hashes = new Map(locked.map(({ name, version, hashes }) => [`${name}@${version}`, hashes]));
  const components = packages.map(({ name, version, licence }): Component => {
    const purl = `pkg:pypi/${name}@${version}`;
    return {
      "bom-ref": purl,
      type: "library",
      name,
      version,
      purl,
      hashes: (hashes.get(`${name}@${version}`) ?? []).map((content) => ({ alg: "SHA-256", content })),
      licenses: isPermissive(licence) ? [{ expression: licence }] : [{ license: { name: licence } }],
    };
  });
  const whole = bom.metadata.component["bom-ref"];
  const refs = components.map((one) => one["bom-ref"]);
  return {
    ...bom,
    metadata: { ...bom.metadata, component: { ...bom.metadata.component, name: "fine-r1" } },
    components: [...bom.components, ...components],
    dependencies: [
      ...bom.dependencies.map((one) =>
        one.ref === whole ? { ...one, dependsOn: [...(one.dependsOn ?? []), ...refs] } : one,
      ),
      ...refs.map((ref) => ({ ref, dependsOn: [] })),
    ],
  };
}
