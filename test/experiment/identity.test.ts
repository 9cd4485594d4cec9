import { describe, expect, it } from "vitest";
import { codeHash, hashSettings, provenance } from "../../lib/experiment/identity";
import { loadSettings } from "../../lib/experiment/load-settings";

const smoke = loadSettings({ scale: "smoke", environment: {} });
const data = "f".repeat(64);

describe("provenance", () => {
  it("follows settings and data, each in its own hash, and stays for the same ones", () => {
    const a = provenance(smoke, data);
    expect(provenance(smoke, data)).toEqual(a);
    const seed = provenance({ ...smoke, seed: 1 }, data);
    expect([seed.code, seed.data]).toEqual([a.code, a.data]);
    expect(seed.settings).not.toBe(a.settings);
    const other = provenance(smoke, "e".repeat(64));
    expect([other.code, other.settings]).toEqual([a.code, a.settings]);
    expect(other.data).not.toBe(a.data);
    for (const hash of Object.values(a)) expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(a.code).toBe(codeHash());
  });
});

describe("hashSettings", () => {
  it("leaves out the run's name and place, and nothing else", () => {
    const whole = hashSettings(smoke);
    expect(hashSettings({ ...smoke, run: "x", sets: "/y", memory: 3 })).toBe(whole);
    expect(hashSettings({ ...smoke, shots: 5 })).not.toBe(whole);
    expect(hashSettings({ ...smoke, rl: { ...smoke.rl, topP: 0.5 } })).not.toBe(whole);
  });
});
