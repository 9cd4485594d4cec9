/** What `npm run cluster-check` left: the page says it, and it holds. Where it was not run, the page says that. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { chooseVariants } from "../../lib/experiment/ablations/variants";
import { loadSettings } from "../../lib/experiment/load-settings";
import {
  clusterHash,
  LEAST_SPEED_UP,
  pageFile,
  pageWith,
  readReport,
  speedUp,
  type ClusterReport,
} from "../../tools/cluster/report";
import { SPEED_STEPS, SPEED_VARIANTS } from "../../tools/cluster/speed-sweep";

const report = readReport();
const page = readFileSync(pageFile, "utf8");

describe("docs/cluster.json", () => {
  it("is what docs/cluster.md shows; what was not run is said to be", () => {
    expect(pageWith(page, report)).toBe(page);
    expect(page.split("Not run yet.")).toHaveLength(3 - Object.keys(report).length);
  });

  it.runIf(report.check !== undefined)("has found nothing wrong", () => {
    expect(report.check!.findings.length).toBeGreaterThan(8);
    expect(report.check!.findings.filter(({ good }) => !good)).toEqual([]);
  });

  it.runIf(report.speed !== undefined)("has two nodes fast enough", () => {
    const { variants, steps } = report.speed!;
    expect([variants, steps]).toEqual([[...SPEED_VARIANTS], SPEED_STEPS]);
    expect(speedUp(report.speed!)).toBeGreaterThanOrEqual(LEAST_SPEED_UP);
  });

  it.runIf(Object.keys(report).length > 0)("is of lib/cluster as it is today (cluster-check makes it anew)", () => {
    for (const part of [report.check, report.speed]) if (part !== undefined) expect(part.cluster).toBe(clusterHash());
  });
});

describe("a report", () => {
  const of = { date: "2026-01-31", code: "0123456789abcdef", cluster: "c", processor: "P" };
  const whole: ClusterReport = {
    check: { ...of, seconds: 61.4, findings: [{ what: "all is equal", good: true, details: "9 files" }] },
    speed: { ...of, variants: ["base", "tapo"], steps: 60, one: 180, two: 100 },
  };

  it("stands on the page with its figures, in place of another", () => {
    const shown = pageWith(page, whole);
    expect(shown).toContain("Last run: 2026-01-31, P, code `0123456789ab`, 61 s.\n\n- all is equal (9 files)\n");
    expect(shown).toContain("180 s on one node, 100 s on two, 1.80 times as fast (base, tapo; 60 RL updates each)");
    expect(pageWith(shown, report)).toBe(page);
    const wrong = { ...whole.check!, findings: [{ what: "all is equal", good: false, details: "a.json" }] };
    expect(pageWith(page, { check: wrong })).toContain("- **wrong:** all is equal (a.json)");
    expect(() => pageWith("nothing", whole)).toThrow(/docs\/cluster\.md: the lines around "cluster check" are missing/);
  });

  it("of speed is of a sweep of exactly eight variants, six of which train", () => {
    const settings = loadSettings({ scale: "smoke", set: [`rl.steps=${SPEED_STEPS}`], environment: {} });
    const chosen = chooseVariants(settings, SPEED_VARIANTS);
    expect(chosen.map(({ name }) => name).sort()).toEqual([...SPEED_VARIANTS].sort());
    expect(chosen.filter(({ method }) => method !== "base" && method !== "sft")).toHaveLength(6);
    expect(chosen).toHaveLength(8);
  });
});
