import * as fs from "node:fs";
import * as path from "node:path";
import { table as arquero } from "arquero";
import { describe, expect, it } from "vitest";
import { renderExploreTable } from "../../lib/report/explore-table";
import { renderTable } from "../../lib/report/notebook";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { quadrants } from "../helpers/quadrants";

const folder = temporaryFolder();
const bodyOf = (html: string): string => /<tbody>([\s\S]*)<\/tbody>/.exec(html)![1];
const rowsOf = (html: string): string[] => bodyOf(html).split(/\n(?=<tr)/);
const script = (html: string): string => html.slice(html.indexOf("<script>"));

describe("renderExploreTable", () => {
  it("writes values as renderTable does, and what a rounded one is sorted by", async () => {
    const rows = [
      { method: "TAPO", accuracy: 1 / 3, n: 12, ci: "62.5 ±1.2", p: "<0.001", gap: "−1,204" },
      { method: "SFT", accuracy: null, n: 7, ci: "", p: "0.52", gap: "-" },
    ];
    const { html, text } = await renderExploreTable(rows);
    expect(text).toBe(renderTable(rows).text);
    expect(rowsOf(html)).toEqual([
      '<tr><td>TAPO</td><td class="n" data-n="0.3333333333333333">0.333</td><td class="n">12</td><td class="n" data-n="62.5">62.5 ±1.2</td><td class="n" data-n="0.001">&lt;0.001</td><td class="n" data-n="-1204">−1,204</td></tr>',
      '<tr><td>SFT</td><td class="n"></td><td class="n">7</td><td class="n"></td><td class="n">0.52</td><td class="n" data-n="">-</td></tr>',
    ]);
    expect(html).toContain('<th scope="col">method</th><th scope="col" class="n">accuracy</th>');
  });

  it("shows values, names and keys as text, in no case as markup or script", async () => {
    const evil = `</script><script>alert(1)</script><img src=x onerror="alert(1)">`;
    const { html } = await renderExploreTable([{ [evil]: evil, [`"b`]: { nested: evil } }]);
    const shown = html.replace(script(html), "");
    expect(shown).not.toMatch(/<script|<img|onerror="/);
    expect(bodyOf(html)).toContain("<td>&lt;/script&gt;&lt;script&gt;alert(1)");
    expect(script(html).match(/<\/script/g)).toHaveLength(1); // its own end, the last thing there is
    expect(html.endsWith("</script>")).toBe(true);
  });

  it("marks seen and unseen rows by class and by text, from `split` or as told", async () => {
    const rows = [
      { name: "a", split: "seen" },
      { name: "b", split: "unseen" },
      { name: "c", split: "other" },
    ];
    const { html, text } = await renderExploreTable(rows);
    expect(rowsOf(html)).toEqual([
      '<tr class="seen"><td>a</td><td>●\u00a0seen</td></tr>',
      '<tr class="unseen"><td>b</td><td>○\u00a0unseen</td></tr>',
      "<tr><td>c</td><td>other</td></tr>",
    ]);
    expect(text).toContain("○\u00a0unseen");
    const told = await renderExploreTable([{ name: "a" }, { name: "b" }], {
      split: ({ name }) => (name === "b" ? "unseen" : null),
    });
    expect(rowsOf(told.html)).toEqual([
      "<tr><td></td><td>a</td></tr>",
      '<tr class="unseen"><td>○\u00a0unseen</td><td>b</td></tr>',
    ]);
    expect((await renderExploreTable([{ name: "a" }])).html).not.toContain("split");
  });

  it("leaves rows over the limit and over the bytes out, and says so", async () => {
    const rows = Array.from({ length: 1000 }, (_, i) => ({ i, text: "x".repeat(200) }));
    const few = await renderExploreTable(rows, { limit: 3 });
    expect(rowsOf(few.html)).toHaveLength(3);
    expect(few.html).toContain("<p>… and 997 more rows.</p>");
    const some = await renderExploreTable(rows, { maxBytes: 60_000 });
    expect(Buffer.byteLength(some.html) + Buffer.byteLength(some.text)).toBeLessThan(60_000);
    const shown = rowsOf(some.html).length;
    expect(shown).toBeGreaterThan(100);
    expect(some.html).toContain(`<p>… and ${1000 - shown} more rows.</p>`);
    expect((await renderExploreTable(rows)).html).toContain("… and 500 more rows");
    await expect(renderExploreTable(rows, { maxBytes: 3000 })).rejects.toThrow(/not one row fits into maxBytes 3000/);
  });

  it("puts an image that opens into a row, drops images before rows, and names one it can't read", async () => {
    const file = path.join(folder, 'a "b".png');
    await quadrants(400, 200).toFile(file);
    const image = ({ name }: { name: string }): string | null => (name === "none" ? null : file);
    const { html } = await renderExploreTable([{ name: "a" }, { name: "none" }], { image });
    expect(html).toContain('<th scope="col" data-image="1">image</th><th scope="col">name</th>');
    const [first, second] = rowsOf(html);
    expect(first).toMatch(
      /^<tr><td><details><summary><img alt="a &quot;b&quot;\.png" width="48" src="data:image\/webp;base64,[\w+/=]+"><\/summary><\/details><\/td><td>a<\/td><\/tr>$/,
    );
    expect(second).toBe("<tr><td></td><td>none</td></tr>");
    const many = await renderExploreTable(
      Array.from({ length: 200 }, (_, i) => ({ name: String(i) })),
      { image, maxBytes: 30_000 },
    );
    expect(Buffer.byteLength(many.html) + Buffer.byteLength(many.text)).toBeLessThan(30_000);
    const images = many.html.match(/<img/g)!.length;
    expect(rowsOf(many.html)).toHaveLength(200);
    expect(images).toBeGreaterThan(5);
    expect(many.html).toContain(`<p>images of the first ${images} of 200 rows only.</p>`);
    fs.writeFileSync(path.join(folder, "bad.png"), "no image");
    await expect(renderExploreTable([{ a: 1 }], { image: () => path.join(folder, "bad.png") })).rejects.toThrow(
      "bad.png",
    );
  });

  it("takes an Arquero table and an empty list, asks nobody, and is the same each time", async () => {
    const { html } = await renderExploreTable(arquero({ a: [1, 2], b: ["x", "y"] }));
    expect(rowsOf(html)).toEqual([
      '<tr><td class="n">1</td><td>x</td></tr>',
      '<tr><td class="n">2</td><td>y</td></tr>',
    ]);
    expect(html).not.toMatch(/https?:|url\(|import\(|fetch\(/);
    expect((await renderExploreTable(arquero({ a: [1, 2], b: ["x", "y"] }))).html).toBe(html);
    expect(bodyOf((await renderExploreTable([])).html)).toBe("");
    expect(Buffer.byteLength(script(html))).toBeLessThan(6000);
  });
});
