import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { entrypoint, environmentOf, onNodes, quoted, shellWord } from "../../lib/cluster/plan";
import { checkCode } from "../../lib/cluster/same-code";
import { checkProducts, productsAsked } from "../../lib/cluster/same-products";
import { codeHash } from "../../lib/experiment/identity";

describe("what the nodes are told", () => {
  it("a place within the project is there where the project is, another the same", () => {
    const both = { here: "/home/me/fine-r1", there: "/mnt/fine-r1" };
    expect(onNodes("/home/me/fine-r1/data/runs/x", both)).toBe("/mnt/fine-r1/data/runs/x");
    expect(onNodes("/home/me/fine-r1", both)).toBe("/mnt/fine-r1");
    expect(onNodes("/home/me/fine-r10/x", both)).toBe("/home/me/fine-r10/x");
    expect(onNodes("/home/me/fine-r1/..x", both)).toBe("/mnt/fine-r1/..x");
    expect(onNodes("/srv/x", both)).toBe("/srv/x");
  });

  it("of the environment only what settings are read from, and threads; no key", () => {
    const environment = { FINE_R1_RUN: "x", OPENAI_API_KEY: "k", RAY_AUTH_TOKEN: "t", HOME: "/root" };
    const env = environmentOf(environment, { code: "c", products: "float32", cpus: 3 });
    expect(env).toEqual({
      FINE_R1_RUN: "x",
      TF_NUM_INTRAOP_THREADS: "3",
      FINE_R1_CODE: "c",
      FINE_R1_PRODUCTS: "float32",
      NO_COLOR: "1",
    });
    expect(
      environmentOf({ TF_NUM_INTRAOP_THREADS: "2" }, { code: "c", products: "float32", cpus: 3 })
        .TF_NUM_INTRAOP_THREADS,
    ).toBe("2");
  });

  it("a shell takes no word of a path for its own", () => {
    const word = `/a b/$(touch x)/'q'/"r";rm`;
    expect(execFileSync("sh", ["-c", `printf %s ${quoted(word)}`], { encoding: "utf8" })).toBe(word);
    const line = entrypoint("/no where/'x'", "/plan $HOME.json").replace("P=python3", "P=echo");
    expect(execFileSync("sh", ["-c", line], { encoding: "utf8" })).toBe(
      "/no where/'x'/lib/cluster/driver.py /plan $HOME.json\n",
    );
  });

  it("a word in a command that is shown is quoted where a shell would read it otherwise", () => {
    expect(shellWord("data/runs/a-b_1/x.y")).toBe("data/runs/a-b_1/x.y");
    for (const word of ["a b", "$(id)", "it's; id", "", "~/x", "a\nb"])
      expect(execFileSync("sh", ["-c", `printf %s ${shellWord(word)}`], { encoding: "utf8" })).toBe(word);
  });

  it("a node with other code refuses its task", () => {
    expect(() => checkCode({})).not.toThrow();
    expect(() => checkCode({ FINE_R1_CODE: codeHash() })).not.toThrow();
    expect(() => checkCode({ FINE_R1_CODE: "0".repeat(64) })).toThrow(
      /not the one that the job was started from.*000000000000/,
    );
  });

  it("a node whose products are others refuses its task, with what to set", () => {
    const asked = { FINE_R1_PRODUCTS: "float32" };
    expect(() => checkProducts({ precision: "auto" }, {}, "bfloat16")).not.toThrow(); // no task
    expect(() => checkProducts({ precision: "auto" }, asked, "float32")).not.toThrow();
    expect(() => checkProducts({ precision: "auto" }, asked, "bfloat16")).toThrow(
      /precision=auto is bfloat16 here, and float32 where the job was started.*--set precision=float32, or bfloat16/,
    );
    // what was set is the same on every machine
    for (const precision of ["float32", "bfloat16"] as const) {
      expect(productsAsked({ precision })).toBe(precision);
      expect(() => checkProducts({ precision }, { FINE_R1_PRODUCTS: precision })).not.toThrow();
    }
  });
});
