import { describe, expect, it } from "vitest";
import {
  chooseVariants,
  FAMILIES,
  familiesOf,
  REFERENCES,
  VARIANTS,
  variantSettings,
  type Variant,
} from "../../../lib/experiment/ablations/variants";
import { METHOD_NAMES as METHODS, METHODS as METHOD_FACTS } from "../../../lib/train/methods";
import { loadSettings } from "../../../lib/experiment/load-settings";
import type { Settings } from "../../../lib/experiment/settings";

const settings = loadSettings({ environment: {} });
const known = chooseVariants(settings);
const named = (name: string): Variant => VARIANTS.find((variant) => variant.name === name)!;

describe("the table of variants", () => {
  it("has names that are folder names, once each, and every method of the results table", () => {
    expect(new Set(VARIANTS.map(({ name }) => name)).size).toBe(VARIANTS.length);
    for (const { name } of VARIANTS) expect(name).toMatch(/^[a-z0-9][a-z0-9.-]*$/);
    expect(VARIANTS.filter(({ set }) => set.length === 0).map(({ name }) => name)).toEqual([...METHODS]);
  });

  it("has settings that all exist, but those of variants that are left out", () => {
    const missing = VARIANTS.filter((variant) => !known.includes(variant)).map(({ name }) => name);
    expect(["rationales" in settings.cot ? [] : ["sft-shuffled-rationales"]]).toContainEqual(missing);
    for (const variant of known)
      expect(() => variantSettings(settings, variant, { seed: 0, role: "dev" }), variant.name).not.toThrow();
  });

  it("changes something in each that is not a shipped method, and no two are the same", () => {
    const keys = known.map((variant) =>
      JSON.stringify([variant.method, variantSettings(settings, variant, { seed: 0, role: "dev" })]),
    );
    expect(new Set(keys).size).toBe(known.length);
    const shipped = JSON.stringify(variantSettings(settings, named("tapo"), { seed: 0, role: "dev" }));
    for (const variant of known.filter(({ set }) => set.length > 0))
      expect(JSON.stringify(variantSettings(settings, variant, { seed: 0, role: "dev" })), variant.name).not.toBe(
        shipped,
      );
  });

  it("has families of known variants, in one of which TAPO stands at its own settings", () => {
    for (const { name, members } of FAMILIES) {
      for (const { variant } of members) expect(named(variant), `${name}: ${variant}`).toBeDefined();
      expect(VARIANTS.map((v) => v.name)).not.toContain(name); // --only takes both kinds of name
    }
    const ratio = FAMILIES.find(({ name }) => name === "ratio")!;
    expect(ratio.members.map(({ label }) => label)).toEqual([
      "10:0",
      "9:1",
      "8:2",
      "7:3",
      "6:4",
      "5:5",
      "4:6",
      "3:7",
      "2:8",
      "1:9",
    ]);
    for (const { variant, label } of ratio.members.slice(1)) {
      const { numGenerations, positiveGenerations } = variantSettings(settings, named(variant), {
        seed: 0,
        role: "dev",
      }).rl;
      expect(`${numGenerations - positiveGenerations}:${positiveGenerations}`).toBe(label);
    }
    const kl = FAMILIES.find(({ name }) => name === "kl")!;
    for (const { variant, label } of kl.members)
      expect(variantSettings(settings, named(variant), { seed: 0, role: "dev" }).rl.klCoefficient).toBe(Number(label));
  });

  it("shows a family where one of its own variants is there, not where shipped methods alone are", () => {
    const shown = (...names: string[]): string[] => familiesOf(new Set(names)).map(({ name }) => name);
    expect(shown("sft-direct", "sft", "tapo", "tapo-no-intra")).toEqual(["methods", "parts"]);
    expect(shown("sft", "sft-shots-2", "n1-9-n2-1")).toEqual(["shots"]);
    expect(shown("kl-0")).toEqual([]);
  });

  it("has the nearest methods beside TAPO, each without the part that it does not have", () => {
    const { members } = FAMILIES.find(({ name }) => name === "neighbours")!;
    const facts = members.map(({ variant }) => {
      const { method } = named(variant);
      const { rl } = variantSettings(settings, named(variant), { seed: 0, role: "dev" });
      const { intra = false, inter = false } = METHOD_FACTS[method] as { intra?: boolean; inter?: boolean };
      return [variant, intra && rl.secondView, inter && rl.contrastImage];
    });
    expect(facts).toEqual([
      ["cls-rl", false, false],
      ["noisy-rollout", "noisy", false],
      ["papo", false, "masked"],
      ["random-negative", "positive", "random"],
      ["tapo", "positive", "hardest"],
    ]);
  });
});

describe("chooseVariants", () => {
  const names = (only: string[]): string[] => chooseVariants(settings, only).map(({ name }) => name);

  it("takes variants and families in the order of the table, with the references", () => {
    expect(names(["kl"])).toEqual(["sft", "tapo", "kl-0", "kl-0.001", "kl-0.1"]);
    expect(names(["negative-stale", "cls-rl", "kl-0"])).toEqual(["sft", "cls-rl", "tapo", "kl-0", "negative-stale"]);
    expect(names([])).toEqual(known.map(({ name }) => name));
    for (const reference of REFERENCES) expect(names(["reward-substring"])).toContain(reference);
  });

  it("refuses a name it does not know, and says which it does", () =>
    expect(() => names(["kl", "k1-0"])).toThrow(
      /unknown variant "k1-0"; families: methods, parts, .*; variants: base, /,
    ));
});

it("variantSettings changes seed, role and what the variant sets, and nothing else", () => {
  const changed = variantSettings(settings, named("n1-7-n2-3"), { seed: 5, role: "dev" });
  const expected: Settings = {
    ...settings,
    seed: 5,
    rl: { ...settings.rl, numGenerations: 10, positiveGenerations: 3 },
    eval: { ...settings.eval, role: "dev" },
  };
  expect(changed).toEqual(expected);
  expect(settings.seed).toBe(0);
});
