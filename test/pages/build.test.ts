/** Sites of small repositories: what is in their pages, what is refused, and what a failed build leaves. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { renderExploreTable, tableScript } from "../../lib/report/explore-table";
import { buildSite } from "../../tools/pages/build";
import { attributeOf } from "../../tools/pages/html";
import { CONTENT_SECURITY_POLICY } from "../../tools/pages/policy";

/** One transparent pixel. */
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const HOSTILE = `"><script>alert(1)</script><img src=x onerror=alert(2)>`;

let folder: string;
let out: string;

const put = (file: string, content: unknown): void => {
  const full = path.join(folder, file);
  fs.mkdirSync(path.dirname(full), { recursive: true });
  fs.writeFileSync(full, typeof content === "string" ? content : JSON.stringify(content));
};

interface Output {
  output_type: string;
  [key: string]: unknown;
}
const display = (data: Record<string, unknown>): Output => ({ output_type: "display_data", metadata: {}, data });
const notebook = (title: string, outputs: Output[], markdown = ""): object => ({
  nbformat: 4,
  nbformat_minor: 5,
  metadata: { language_info: { name: "typescript" } },
  cells: [
    { cell_type: "markdown", id: "a", metadata: {}, source: `# ${title}\n\nWhat it shows. ${markdown}` },
    { cell_type: "code", id: "b", metadata: {}, execution_count: 1, source: 'show("a < b");', outputs },
  ],
});

let table = "";
beforeAll(async () => {
  ({ html: table } = await renderExploreTable([{ name: HOSTILE, n: 1 }]));
});

/** A small repository in a new folder. */
function makeRepository(): void {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-site-"));
  out = path.join(folder, "site");
  put(
    "README.md",
    "# Small\n\nIt is small: [doc](docs/doc.md#part), [first](notebooks/00-a.ipynb).\n\n## Rest\n\nMore.\n",
  );
  put("docs/doc.md", "# Doc\n\nSays a thing. [More](../extra/NOTE.md)\n\n## Part\n\n![A figure](../figures/f.svg)\n");
  put("extra/NOTE.md", "# Note\n\nFound by its link.\n");
  put("figures/f.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>');
  put(
    "notebooks/00-a.ipynb",
    notebook("First", [
      { output_type: "stream", name: "stdout", text: "\u001b[31mred\u001b[0m <b>& text</b>\n" },
      display({ "image/png": PNG, "text/plain": `[1 image: ${HOSTILE}]` }),
      display({
        "application/vnd.plotly.v1+json": {
          data: [{ y: [1, 2], name: `</script>${HOSTILE}` }],
          layout: { width: 640 },
        },
        "image/png": PNG,
        "text/plain": "[figure: A line]",
      }),
    ]),
  );
  put(
    "notebooks/01-b.ipynb",
    notebook("Second &lt;script&gt;alert(3)&lt;/script&gt;", [
      display({ "text/html": "<table><thead><tr><th>n</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>" }),
      display({ "text/html": table }),
      { output_type: "error", ename: "Error", evalue: "bad", traceback: ["\u001b[1mError\u001b[0m: <bad>"] },
    ]),
  );
}
const removeRepository = (): void => fs.rmSync(folder, { recursive: true });

const page = (name: string): string => fs.readFileSync(path.join(out, name), "utf8");

/** Every file below a folder with its content. */
function contents(root: string): Map<string, string> {
  const files = fs.readdirSync(root, { recursive: true, encoding: "utf8" }).sort();
  return new Map(
    files
      .filter((file) => fs.statSync(path.join(root, file)).isFile())
      .map((file) => [file, fs.readFileSync(path.join(root, file)).toString("latin1")]),
  );
}

describe("a site", () => {
  let pages: ReadonlyMap<string, string>;
  beforeAll(() => {
    makeRepository();
    ({ pages } = buildSite({ root: folder, out }));
  });
  afterAll(removeRepository);

  it("is self-contained and safe", () => {
    expect([...pages.keys()].sort()).toEqual([
      "README.html",
      "docs/doc.html",
      "extra/NOTE.html",
      "index.html",
      "notebooks/00-a.html",
      "notebooks/01-b.html",
    ]);
    for (const [name, html] of pages) {
      expect(html.match(/<h1/g), name).toHaveLength(1);
      const tags = [...html.matchAll(/<(?:link|script|img|iframe|source)\b[^>]*>/g)].map(([tag]) => tag);
      const loaded = tags.flatMap((tag) => ["src", "href"].flatMap((name) => attributeOf(tag, name) ?? []));
      expect(loaded.length, name).toBeGreaterThan(0);
      expect(
        loaded.filter((address) => /^(?:[a-z]+:)?\/\//i.test(address)),
        name,
      ).toEqual([]);
      expect(html, name).toContain(`content="${CONTENT_SECURITY_POLICY}"`);
      expect(html, name).toContain('<html lang="en">');
      // scripts are files; what stands in a page is data
      const inline = [...html.matchAll(/<script\b([^>]*)>/g)].filter(([, attributes]) => !attributes.includes("src="));
      expect(inline.map(([, attributes]) => attributes.trim()).filter((x) => x !== 'type="application/json"')).toEqual(
        [],
      );
      const attributes = [...html.matchAll(/<[a-z][^>]*>/g)].map(([tag]) => tag.replace(/"[^"]*"/g, ""));
      expect(
        attributes.filter((tag) => /\son\w+=/.test(tag)),
        name,
      ).toEqual([]);
      expect(html, name).not.toContain(folder);
    }
  });

  it("has one script for tables to explore, where there is one", () => {
    const [first, second] = ["notebooks/00-a.html", "notebooks/01-b.html"].map(page);
    expect(second).toContain('<script defer src="../assets/explore-table.js"></script>');
    expect(first).not.toContain("explore-table.js");
    expect(page("assets/explore-table.js")).toBe(tableScript());
    expect(second).toMatch(/data-explore="explore-[0-9a-f]{12}"/);
  });

  it("is the same at every build", () => {
    const before = contents(out);
    buildSite({ root: folder, out });
    expect(contents(out)).toEqual(before);
    expect(fs.readdirSync(folder).filter((name) => name.startsWith("site"))).toEqual(["site"]);
  });

  it("shows outputs: colours, images in words, figures as data, errors, tables", () => {
    const first = page("notebooks/00-a.html");
    expect(first).toContain('<span class="ansi-red-fg">red</span> &lt;b&gt;&amp; text&lt;/b&gt;');
    const [strip] = [...first.matchAll(/<img\b[^>]*>/g)].map(([tag]) => attributeOf(tag, "alt"));
    expect(strip).toBe(`1 image: ${HOSTILE}`);
    const json = /<script type="application\/json">([^]*?)<\/script>/.exec(first)![1];
    expect(JSON.parse(json)).toEqual({ data: [{ y: [1, 2], name: `</script>${HOSTILE}` }], layout: { width: 640 } });
    expect(first).toContain('src="../assets/plotly.min.js"');
    const second = page("notebooks/01-b.html");
    expect(second).not.toContain("plotly.min.js");
    expect(second).toContain("<title>Second &lt;script&gt;alert(3)&lt;/script&gt; · Fine-R1</title>");
    expect(second).toContain('<th scope="col">n</th>');
    expect(second).toContain('<span class="ansi-bold">Error</span>: &lt;bad&gt;');
  });

  it("links pages, copies figures, and lists pages in the README's order", () => {
    expect(page("README.html")).toContain('<a href="docs/doc.html#part">doc</a>');
    expect(page("docs/doc.html")).toContain('<a href="../extra/NOTE.html">More</a>');
    expect(fs.existsSync(path.join(out, "figures/f.svg"))).toBe(true);
    const index = page("index.html");
    const list = index.slice(index.indexOf('id="site-pages"'));
    expect([...list.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual([
      "index.html",
      "README.html",
      "notebooks/00-a.html",
      "notebooks/01-b.html",
      "docs/doc.html",
      "extra/NOTE.html",
    ]);
    expect(index).toContain("<p>Says a thing. More</p>");
    expect(index).not.toContain("<p>More.</p>"); // only the README's introduction
  });
});

describe("a build is refused, and leaves the site as it was, for", () => {
  beforeEach(makeRepository);
  afterEach(removeRepository);

  const refusal = (): string => {
    fs.mkdirSync(out, { recursive: true });
    const old = '<meta name="generator" content="fine-r1 pages">old';
    fs.writeFileSync(path.join(out, "index.html"), old);
    let message = "";
    try {
      buildSite({ root: folder, out });
    } catch (error) {
      message = (error as Error).message;
    }
    expect(contents(out)).toEqual(new Map([["index.html", old]]));
    expect(fs.readdirSync(folder).filter((name) => name.includes(".tmp"))).toEqual([]);
    return message;
  };

  it("what no page can show: every file is named at once", () => {
    const html = (text: string): object => notebook("N", [display({ "text/html": text })]);
    put("docs/a.md", "# D\n\nIt is $x^2$.");
    put("docs/b.md", "# D\n\n![](../figures/f.svg)");
    put("docs/c.md", "# D\n\n<script>alert(1)</script>");
    put("docs/d.md", "# D\n\n```mermaid\na\n```");
    put("notebooks/02.ipynb", html("<p onclick='alert(1)'>x</p>"));
    put("notebooks/03.ipynb", html("<img alt='x' src='//example.org/x.png'>"));
    put("notebooks/04.ipynb", html("<table><tr><td>1</td></tr></table>"));
    put("notebooks/05.ipynb", notebook("N", [display({ "text/latex": "$x$" })]));
    put("notebooks/06.ipynb", html("<style>i{background:url(https://example.org/x)}</style>"));
    put("notebooks/07.ipynb", html("<a href=' JavaScript:alert(1)'>x</a>"));
    put("notebooks/08.ipynb", notebook("N", [display({ "application/x-new": "1" })]));
    put("notebooks/09.ipynb", html(`${table}<script>alert(1)</script>`));
    expect(refusal().split("\n")).toEqual([
      expect.stringMatching(/^notebooks\/02\.ipynb: the attribute onclick="alert\(1\)" cannot be shown/),
      expect.stringMatching(/^notebooks\/03\.ipynb: something from the network, src="\/\/example\.org/),
      expect.stringMatching(/^notebooks\/04\.ipynb: a table without header cells: '1'/),
      expect.stringMatching(/^notebooks\/05\.ipynb: LaTeX cannot be shown/),
      expect.stringMatching(/^notebooks\/06\.ipynb: a style sheet that loads something cannot be shown/),
      expect.stringMatching(/^notebooks\/07\.ipynb: the address href=" JavaScript:alert\(1\)" cannot be shown/),
      expect.stringMatching(/^notebooks\/08\.ipynb: an output of application\/x-new cannot be shown/),
      expect.stringMatching(/^notebooks\/09\.ipynb: <script> cannot be shown/),
      expect.stringMatching(/^docs\/a\.md: a formula, 'x\^2'/),
      expect.stringMatching(/^docs\/b\.md: an image without a description/),
      expect.stringMatching(/^docs\/c\.md: <script> cannot be shown/),
      expect.stringMatching(/^docs\/d\.md: a mermaid diagram cannot be shown/),
    ]);
  });

  it("links that lead nowhere: every one is named", () => {
    put("docs/doc.md", "# D\n\n[x](gone.md)");
    put("docs/b.md", "# D\n\n[x](../README.md#no)");
    expect(refusal().split("\n")).toEqual([
      "Links that lead nowhere:",
      'README.md: link to "docs/doc.md#part": no heading has the anchor #part',
      'docs/b.md: link to "../README.md#no": no heading has the anchor #no',
      'docs/doc.md: link to "gone.md": no such file',
    ]);
  });

  it("an id that two outputs use", () => {
    put("docs/doc.md", "# D\n\n## Part");
    put(
      "notebooks/00-a.ipynb",
      notebook("N", [display({ "text/html": "<i id='v'></i>" }), display({ "text/html": "<b id='v'></b>" })]),
    );
    expect(refusal()).toBe('notebooks/00-a.ipynb: the id "v" is used twice on its page');
  });

  it("two files that would be one page", () => {
    put("README.md", "# S\n\n[d](docs/doc.md#part) [n](notebooks/00-a.md)");
    put("docs/doc.md", "# D\n\n## Part");
    put("notebooks/00-a.md", "# N");
    expect(refusal()).toBe(
      "notebooks/00-a.md: its page would be notebooks/00-a.html, which is that of notebooks/00-a.ipynb; rename it",
    );
  });

  it("a folder that is no site, and the repository itself", () => {
    expect(() => buildSite({ root: folder, out: path.join(folder, "docs") })).toThrow(/no site of this tool/);
    expect(() => buildSite({ root: folder, out: folder })).toThrow(/would replace the repository/);
    expect(() => buildSite({ root: folder, out: path.dirname(folder) })).toThrow(/would replace the repository/);
  });
});
