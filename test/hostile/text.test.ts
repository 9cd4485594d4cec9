/** Names, answers and captions that a terminal would obey or a page would run. */
import { writeFileSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { afterEach, describe, expect, it, vi } from "vitest";
import { main } from "../../cli/program";
import { note, print, printJson, printPiece } from "../../cli/output";
import { imageStrip } from "../../lib/report/image-strip";
import { show, showImages, showTable } from "../../lib/report/notebook";
import { showText } from "../../lib/report/show-text";
import { say, warn } from "../../lib/util/say";
import { visibleText } from "../../lib/util/visible-text";
import { temporaryFolder } from "../benchmark/photographs/trees";

/** Clears the screen, sets the title, writes the clipboard, hides what follows, turns the order round, 8-bit CSI. */
const OBEYED = "\u001b[2J\u001b]0;title\u0007\u001b]52;c;aGk=\u0007\u001b[8m\u202e\u009b2J\b\r";
const HTML = '<img src=x onerror="alert(1)"><script>alert(2)</script>';
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

const folder = temporaryFolder();

const KERNEL = Symbol.for("fine-r1.kernel");
afterEach(() => {
  delete (globalThis as Record<symbol, unknown>)[KERNEL];
  vi.restoreAllMocks();
});

/** What is written to a stream while something runs. */
async function written(stream: "stdout" | "stderr", run: () => unknown): Promise<string> {
  let text = "";
  vi.spyOn(process[stream], "write").mockImplementation((chunk) => ((text += String(chunk)), true));
  vi.spyOn(console, "log").mockImplementation((chunk) => void (text += `${String(chunk)}\n`));
  await run();
  vi.restoreAllMocks();
  return text;
}

describe("visible text", () => {
  it("shows what a terminal would obey as JSON writes it, and leaves the rest", () => {
    expect(visibleText("\u001b[31mred\u0007")).toBe("\\u001b[31mred\\u0007");
    expect(visibleText("a\tb\nc\r\nd\re")).toBe("a\tb\nc\nd\\u000de");
    expect(visibleText("fox \u202exof\u2069 \u009b")).toBe("fox \\u202exof\\u2069 \\u009b");
    const names = "Löwenzahn 蒲公英 \u{1f98a} é e\u0301 אריה <b>&amp;";
    expect(visibleText(names)).toBe(names);
    expect(JSON.parse(visibleText(JSON.stringify({ a: OBEYED })))).toEqual({ a: OBEYED });
  });
});

describe("in a terminal", () => {
  it.each<[string, "stdout" | "stderr", () => unknown]>([
    ["print", "stdout", () => print(OBEYED)],
    ["printPiece", "stdout", () => printPiece(OBEYED)],
    ["printJson", "stdout", () => printJson({ name: OBEYED })],
    ["note", "stderr", () => note(OBEYED)],
    ["say", "stdout", () => say(OBEYED)],
    ["warn", "stderr", () => warn(OBEYED)],
    ["show", "stdout", () => show({ "text/plain": OBEYED })],
    ["showText", "stdout", () => showText(OBEYED, OBEYED)],
    ["showTable", "stdout", () => showTable([{ [OBEYED]: OBEYED }])],
    ["showImages", "stdout", () => showImages(["a.png"], { captions: [OBEYED] })],
  ])("%s obeys nothing", async (_, stream, run) => {
    const text = await written(stream, run);
    expect(text).toContain("u001b");
    expect(text).not.toMatch(CONTROL);
  });

  it("commands show a file's text, and errors what they quote", async () => {
    const file = path.join(folder, "p.jsonl");
    writeFileSync(
      file,
      `${JSON.stringify({ image_path: "a.png", question: "Q", ground_truth: `fox${OBEYED}`, output: "<answer>x</answer>", options: [OBEYED, "b"] })}\n{"${"\u009b"}\n`,
    );
    const out = await written("stdout", () => main(["score", "--predictions", file, "--setting", "closed"]));
    const err = await written("stderr", () =>
      main(["score", "--predictions", path.join(folder, `none${OBEYED}`), "--setting", "closed"]),
    );
    expect(out).toMatch(/1 rows/);
    expect(out).not.toMatch(CONTROL);
    expect(err).toMatch(/u001b/);
    expect(err).not.toMatch(CONTROL);
  });
});

describe("in a notebook", () => {
  const bundles: Record<string, unknown>[] = [];
  const kernel = (): void => {
    bundles.length = 0;
    (globalThis as Record<symbol, unknown>)[KERNEL] = {
      display: (bundle: Record<string, unknown>) => void bundles.push(bundle),
      clearOutput: () => undefined,
      signal: () => undefined,
    };
  };

  it("HTML of data is shown, not run, and text obeys nothing", () => {
    kernel();
    showText(HTML + OBEYED, HTML);
    showTable([{ [HTML]: HTML, b: OBEYED }]);
    expect(bundles).toHaveLength(2);
    for (const bundle of bundles) {
      expect(bundle["text/html"]).not.toMatch(/<(img|script)/);
      expect(bundle["text/html"]).toContain("&lt;script&gt;");
      expect(bundle["text/plain"]).not.toMatch(CONTROL);
    }
  });

  it("captions with markup and control characters are drawn", async () => {
    const image = await sharp({ create: { width: 8, height: 8, channels: 3, background: "#fff" } })
      .png()
      .toBuffer();
    const strip = await imageStrip([image, image], { captions: [`${HTML} ${OBEYED}`, "\ud800 lone &#0; ]]>"] });
    expect((await sharp(strip).metadata()).format).toBe("png");
  });
});
