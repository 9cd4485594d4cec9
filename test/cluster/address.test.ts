import { describe, expect, it } from "vitest";
import { isLoopback, parseAddress, tokenWarning } from "../../lib/cluster/address";

describe("the address of a cluster", () => {
  it.each([
    ["http://127.0.0.1:8265", "http://127.0.0.1:8265"],
    ["http://127.0.0.1:8265/", "http://127.0.0.1:8265"],
    ["http://localhost", "http://localhost:8265"],
    ["http://head:80", "http://head"],
    ["https://ray.example.org/cluster/", "https://ray.example.org/cluster"],
    ["http://[::1]:8265", "http://[::1]:8265"],
  ])("%s is %s", (text, address) => expect(parseAddress(text)).toBe(address));

  it.each([
    ["127.0.0.1:8265", /no http:\/\//],
    ["ray://127.0.0.1:10001", /client protocol/],
    ["auto", /no http:\/\//],
    ["http://", /not a URL/],
    ["http://a b", /not a URL/],
    ["http://me:secret@head:8265", /RAY_AUTH_TOKEN/],
    ["http://head:8265?x=1", /query/],
    ["http://head:8265#x", /query or fragment/],
    ["http://0.0.0.0:8265", /all interfaces/],
    ["http://head:6379", /port 6379 is not/],
    ["file:///etc/passwd", /no http:\/\//],
  ])("%s is refused", (text, why) => {
    expect(() => parseAddress(text)).toThrow(why);
    expect(() => parseAddress(text)).toThrow(/such as http:\/\/127\.0\.0\.1:8265/);
    expect(() => parseAddress(text)).not.toThrow(/secret/);
  });

  it("a token that goes over a network unencrypted is said", () => {
    expect(tokenWarning("http://127.0.0.1:8265", "t")).toBeNull();
    expect(tokenWarning("https://head:8265", "t")).toBeNull();
    expect(tokenWarning("http://head:8265", undefined)).toBeNull();
    expect(tokenWarning("http://head:8265", "a-token")).toMatch(/^Ray: the token goes to head unencrypted/);
    expect(tokenWarning("http://head:8265", "a-token")).not.toContain("a-token");
    expect(["127.1.2.3", "localhost", "[::1]"].every(isLoopback)).toBe(true);
    expect(isLoopback("127.evil.example")).toBe(false);
  });
});
