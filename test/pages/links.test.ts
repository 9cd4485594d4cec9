/** Links between files, as the site has them. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { linkedFiles, relativePath, rewriteLinks, targetOf, type LinkContext } from "../../tools/pages/links";
import { repositoryAddress, webAddress } from "../../tools/pages/repository";

const root = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-links-"));

beforeAll(() => {
  for (const file of ["README.md", "docs/a.md", "docs/b c.md", "lib/x.ts", "figures/f.svg", "native/README.md"]) {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), "");
  }
});
afterAll(() => fs.rmSync(root, { recursive: true }));

const context = (repository: string | null = null): LinkContext => ({
  root,
  repository,
  anchors: new Map([
    ["README.md", new Set(["start"])],
    ["docs/a.md", new Set(["über", "one"])],
    ["docs/b c.md", new Set([])],
    ["native/README.md", new Set([])],
  ]),
});
const rewritten = (html: string, file = "docs/a.md", repository: string | null = null): string => {
  const { html: result, problems } = rewriteLinks(file, html, context(repository));
  expect(problems).toEqual([]);
  return result;
};

describe("a link", () => {
  it("to a document goes to its page, anchor kept", () => {
    expect(rewritten('<a href="../README.md#start">x</a>')).toBe('<a href="../README.html#start">x</a>');
    expect(rewritten('<a href="b%20c.md">x</a>')).toBe('<a href="b%20c.html">x</a>');
    expect(rewritten('<a href="#%C3%BCber">x</a>')).toBe('<a href="#%C3%BCber">x</a>');
    expect(rewritten('<a href="a.md">x</a>')).toBe('<a href="a.html">x</a>');
    expect(rewritten('<a href="docs/a.md#one">x</a>', "README.md")).toBe('<a href="docs/a.html#one">x</a>');
  });

  it("to a folder goes to the page of its README", () => {
    expect(rewritten('<a href="../native/">x</a>')).toBe('<a href="../native/README.html">x</a>');
  });

  it("to a source file goes to the repository, or is text where that has no address", () => {
    expect(rewritten('<a href="../lib/x.ts"><code>x</code></a>')).toBe('<span class="source"><code>x</code></span>');
    const home = "https://example.org/o/r";
    expect(rewritten('<a href="../lib/x.ts#L3">x</a>', "docs/a.md", home)).toBe(
      `<a href="${home}/blob/HEAD/lib/x.ts#L3">x</a>`,
    );
    expect(rewritten('<a href="../lib">x</a>', "docs/a.md", home)).toBe(`<a href="${home}/tree/HEAD/lib">x</a>`);
  });

  it("on the web stays, and is escaped", () => {
    expect(rewritten('<a href="https://example.org/?a=1&amp;b=&quot;2">x</a>')).toBe(
      '<a href="https://example.org/?a=1&amp;b=&quot;2">x</a>',
    );
  });

  it("to a figure has it copied, as an image has", () => {
    const { html, copied } = rewriteLinks(
      "docs/a.md",
      '<img alt="f" src="../figures/f.svg"><a href="../figures/f.svg">f</a><img alt="d" src="data:image/png;base64,AA">',
      context(),
    );
    expect(html).toContain('<img alt="f" src="../figures/f.svg"><a href="../figures/f.svg">');
    expect(copied).toEqual(["figures/f.svg"]);
  });

  it.each([
    ["gone.md", "no such file"],
    ["../README.md#stop", "no heading has the anchor #stop"],
    ["#two", "no heading has the anchor #two"],
    ["../../secret.md", "outside of the repository"],
    ["/etc/passwd", "no relative path and no web address"],
    ["javascript:alert(1)", "no relative path and no web address"],
    ["file:///etc/passwd", "no relative path and no web address"],
    ["%E0%A4%A", "URI malformed"],
  ])("to %s is refused", (address, reason) => {
    const { problems } = rewriteLinks("docs/a.md", `<a href="${address}">x</a>`, context());
    expect(problems).toEqual([`docs/a.md: link to "${address}": ${reason}`]);
  });

  it("to an image of the network is refused", () => {
    const { problems } = rewriteLinks("docs/a.md", '<img alt="x" src="https://example.org/x.png">', context());
    expect(problems).toEqual([
      'docs/a.md: image from the network, "https://example.org/x.png": put it into the repository',
    ]);
  });
});

it("a target is a path from the root", () => {
  expect(targetOf("docs/a.md", "../lib/x.ts#L1")).toEqual({ file: "lib/x.ts", anchor: "L1" });
  expect(targetOf("README.md", ".")).toEqual({ file: "", anchor: "" });
  expect(targetOf("README.md", "mailto:a@example.org")).toBeNull();
  expect(linkedFiles("docs/a.md", '<a href="b.md">b</a><a href="/bad">x</a><a href="https://e.org">y</a>')).toEqual([
    "docs/b.md",
  ]);
  expect(relativePath("docs/a.html", "docs/a.html")).toBe("a.html");
});

describe("the repository's address", () => {
  it.each([
    ["https://github.com/o/r.git", "https://github.com/o/r"],
    ["https://name:secret@github.com/o/r", "https://github.com/o/r"],
    ["git+https://gitlab.com/group/sub/r.git", "https://gitlab.com/group/sub/r"],
    ["git@github.com:o/r.git\n", "https://github.com/o/r"],
    ["ssh://git@example.org:2222/o/r.git", "https://example.org/o/r"],
    ["github:o/r", "https://github.com/o/r"],
    ["/srv/git/r.git", null],
    ["../r", null],
    ["file:///srv/r", null],
    ["javascript:alert(1)//a", null],
  ])("of %j is %j", (remote, address) => {
    expect(webAddress(remote)).toBe(address);
  });

  it("is package.json's where that says one, and null without any", () => {
    expect(repositoryAddress(root)).toBeNull();
    fs.writeFileSync(
      path.join(root, "package.json"),
      '{"repository":{"type":"git","url":"git+https://e.org/o/r.git"}}',
    );
    expect(repositoryAddress(root)).toBe("https://e.org/o/r");
  });
});
