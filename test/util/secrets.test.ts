import { describe, expect, it } from "vitest";
import { redactor } from "../../lib/util/secrets";

const SECRET = "sk-ab/c+d?e=f&0123"; // has what addresses and base64 change

describe("redactor", () => {
  const redact = redactor(SECRET, "[key]");

  it("takes out a secret and leaves the rest", () => {
    expect(redact(`Bearer ${SECRET}, again ${SECRET}.`)).toBe("Bearer [key], again [key].");
    expect(redact("nothing here")).toBe("nothing here");
  });

  it("takes it out of addresses", () =>
    expect(redact(`https://x/y?key=${encodeURIComponent(SECRET)}&z=1`)).toBe("https://x/y?key=[key]&z=1"));

  it.each(["", "a", "ab", "abc", "user:", "Bearer "])("takes it out of base64 after %j", (before) => {
    for (const alphabet of ["base64", "base64url"] as const)
      for (const after of ["", "x", "xy", "xyz"]) {
        const text = Buffer.from(`${before}${SECRET}${after}`).toString(alphabet);
        const left = redact(text);
        expect(left).toContain("[key]");
        // what is left at either end holds less than one of its bytes
        const bytes = left.split("[key]").map((part) => Buffer.from(part, alphabet).toString("latin1"));
        expect(bytes.join("|")).not.toContain(SECRET.slice(2, 4));
        expect(left.length - "[key]".length).toBeLessThanOrEqual(
          Math.ceil(((before.length + after.length) * 4) / 3) + 6,
        );
      }
  });

  it("has no secret in a placeholder or none at all", () => {
    expect(redactor("none", "[key]")("none of these")).toBe("none of these");
    expect(redactor(null, "[key]")("text")).toBe("text");
  });
});
