/** Headings, titles and first words of pages. */
import { describe, expect, it } from "vitest";
import { githubAnchors, introOf, summaryOf, titleOf, withHeadings } from "../../tools/pages/headings";
import { attributeOf, idsOf, plainText } from "../../tools/pages/html";

describe("anchors", () => {
  it("are GitHub's: lower case, no punctuation, a number where a heading recurs", () => {
    expect(githubAnchors(["What's new, here?", "Speed", "n1:n2 = 2:8", "Speed", "Speed", "Über `lib/`"])).toEqual([
      "whats-new-here",
      "speed",
      "n1n2--28",
      "speed-1",
      "speed-2",
      "über-lib",
    ]);
  });

  it("stand at every heading, with a link below the first level", () => {
    const { html, headings } = withHeadings("<h1>A &amp; <em>b</em></h1><p>x</p><h2>C &lt;d&gt;</h2>");
    expect(headings).toEqual([
      { level: 1, text: "A & b", id: "a--b" },
      { level: 2, text: "C <d>", id: "c-d" },
    ]);
    expect(html).toBe(
      '<h1 id="a--b">A &amp; <em>b</em></h1><p>x</p>' +
        '<h2 id="c-d">C &lt;d&gt; <a class="anchor" href="#c-d" aria-label="Link to “C &lt;d&gt;”">#</a></h2>',
    );
  });

  it("keep a hostile heading text", () => {
    const { html } = withHeadings("<h2>&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;</h2>");
    expect(html).not.toContain("<script");
    expect(idsOf(html)).toEqual(["scriptalert1script"]);
    expect(attributeOf(/<a [^>]*>/.exec(html)![0], "aria-label")).toBe('Link to “"><script>alert(1)</script>”');
  });
});

describe("a page's title", () => {
  const heading = (level: number, text: string): { level: number; text: string; id: string } => ({
    level,
    text,
    id: "",
  });

  it("is its one first-level heading", () => {
    expect(titleOf("a.md", [heading(1, "T"), heading(2, "S")])).toBe("T");
    expect(() => titleOf("a.md", [heading(2, "S")])).toThrow(/a\.md: .*found none/);
    expect(() => titleOf("a.md", [heading(1, "S"), heading(1, "T")])).toThrow(/a\.md: .*found "S", "T"/);
  });
});

describe("a page's summary", () => {
  it("is whole sentences of the first paragraph", () => {
    expect(summaryOf("<h1>T</h1><p>One <b>two</b>.\nThree &lt;four&gt;. five (ICLR 2026) six.</p><p>No.</p>")).toBe(
      "One two. Three <four>. five (ICLR 2026) six.",
    );
    const long = `A${"a".repeat(300)}.`;
    expect(summaryOf(`<p>${long} Next.</p>`)).toBe(long);
    expect(summaryOf(`<p>Short. ${long}</p>`)).toBe("Short.");
    expect(summaryOf("<p>Two things:</p>")).toBe("Two things.");
  });

  it("passes over what says which command wrote the file, and is empty without a paragraph", () => {
    expect(summaryOf("<p>Written by <code>x</code>.</p><p>Real.</p>")).toBe("Real.");
    expect(summaryOf("<h1>T</h1>")).toBe("");
  });
});

it("the introduction ends at the first second-level heading", () => {
  expect(introOf('<h1>T</h1><p>a</p><h2 id="x">b</h2>')).toBe("<h1>T</h1><p>a</p>");
  expect(introOf("<h1>T</h1>")).toBe("<h1>T</h1>");
});

describe("normalised HTML", () => {
  it("is read as text", () => {
    expect(plainText("<p>a &amp;lt; <b>b</b>\n c</p>")).toBe("a &lt; b c");
  });

  it("has ids in elements, not in style sheets or text", () => {
    expect(
      idsOf('<style>#x{content:"<i id=\\"s\\">"}</style><p id="a" title="b">id="c"</p><i class="k" id="a">'),
    ).toEqual(["a", "a"]);
  });
});
