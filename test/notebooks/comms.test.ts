/** Widgets' messages through jupyter_client: what JupyterLab's widget front end sends, and what it must not do. */
import { describe, expect, it } from "vitest";
import { drive, type CellResult, type CommAnswer, type Step } from "./drive";

const VIEW = "application/vnd.jupyter.widget-view+json";
const IMPORT =
  'import { button, checkbox, column, dropdown, fileUpload, html } from "./lib/report/widgets";\n' +
  'import { showWidget } from "./lib/report/show-widget";\n';
const cell = (code: string, id?: string): Step => ({ cells: [{ code, ...(id === undefined ? {} : { id }) }] });
/** What JupyterLab does when a notebook meets a kernel. */
const page: Step = {
  comm: { type: "comm_open", content: { comm_id: "page", target_name: "jupyter.widget.control", data: {} } },
};
const states: Step = { comm: { type: "comm_msg", content: { comm_id: "page", data: { method: "request_states" } } } };
const to = (model: string, data: unknown, buffers?: string[]): Step => ({
  comm: { type: "comm_msg", content: { comm_id: { model }, data }, buffers },
});
const update = (model: string, state: unknown): Step => to(model, { method: "update", state, buffer_paths: [] });
const click = to("ButtonModel", { method: "custom", content: { event: "click" } });
const of = (answers: unknown, type: string): CommAnswer[] => (answers as CommAnswer[]).filter((a) => a.type === type);
const printed = (answers: unknown): string =>
  of(answers, "stream")
    .map(({ content }) => content.text as string)
    .join("");
const dataOf = ({ content }: CommAnswer): Record<string, unknown> => content.data as Record<string, unknown>;
const first = (answer: unknown): CellResult => (answer as CellResult[])[0];

describe("without a page", { timeout: 240_000 }, () => {
  it("the static form is all that is shown, and no comm is opened", async () => {
    const [shown, info] = await drive([
      cell(`${IMPORT}showWidget(button("Go"), { "text/html": "<b>still</b>", "text/plain": "still" });`),
      { shell: { type: "comm_info_request", content: {} } },
    ]);
    expect(first(shown).data).toEqual([
      { kind: "display_data", "text/html": "<b>still</b>", "text/plain": "still" },
      { kind: "execute_result", "text/plain": "false" },
    ]);
    expect(info).toEqual({ status: "ok", comms: {} });
  });
});

describe("with a page", { timeout: 240_000 }, () => {
  it("clicks, choices and bytes call back between cells, busy until they are dealt with", async () => {
    const bytes = Buffer.from([0, 255, 60, 73, 68, 83]);
    const file = { name: "a.png", type: "image/png", size: 6, last_modified: 0 };
    const answers = await drive([
      page,
      cell(
        `${IMPORT}const go = button("Go"); const pick = dropdown("Pick", ["a", "b"]); const file = fileUpload("File"); const out = html();\n` +
          'go.onClick(async () => { await new Promise((r) => setTimeout(r, 50)); console.log("clicked"); out.set("done"); });\n' +
          'pick.onChange((value) => console.log("picked", value));\n' +
          "file.onChange((one) => console.log(one?.name, [...(one?.bytes ?? [])].join()));\n" +
          'showWidget(column(go, pick, file, out), { "text/plain": "still" });',
      ),
      cell('console.log("another cell")'),
      click,
      update("DropdownModel", { index: 1 }),
      to("FileUploadModel", { method: "update", state: { value: [file] }, buffer_paths: [["value", 0, "content"]] }, [
        bytes.toString("base64"),
      ]),
      cell("`${pick.value} ${file.value?.bytes.length}`"),
      { shell: { type: "comm_info_request", content: { target_name: "jupyter.widget" } } },
      { shell: { type: "comm_info_request", content: { target_name: "other" } } },
    ]);
    const [, shown, , clicked, picked, uploaded, values, info, other] = answers;
    expect(first(shown).data.map((bundle) => VIEW in bundle)).toEqual([false, true, false]);
    const kinds = (clicked as CommAnswer[]).map(({ type, own }) => [type, own]);
    expect(kinds).toEqual([
      ["status", true],
      ["stream", false], // the cell's, where JupyterLab shows it
      ["comm_msg", true],
      ["status", true],
    ]);
    expect(printed(clicked)).toBe("clicked\n");
    expect(of(clicked, "comm_msg")[0]).toMatchObject({
      content: {
        data: { method: "update", state: { value: `<div style="line-height:1.4">done</div>` }, buffer_paths: [] },
      },
      metadata: { version: "2.1.0" },
    });
    expect(printed(picked)).toBe("picked b\n");
    expect(printed(uploaded)).toBe("a.png 0,255,60,73,68,83\n");
    expect(first(values).data[0]["text/plain"]).toContain("b 6");
    expect(Object.keys((info as { comms: object }).comms).length).toBeGreaterThan(4);
    expect((other as { comms: object }).comms).toEqual({});
  });

  it("a page that is loaded again gets every model with its bytes, and one on its own", async () => {
    const [, , all, one] = await drive([
      page,
      cell(
        'import { image } from "./lib/report/widgets"; import { showWidget } from "./lib/report/show-widget";\n' +
          'showWidget(image(new Uint8Array([1, 2, 3])), { "text/plain": "still" });',
      ),
      states,
      to("ImageModel", { method: "request_state" }),
    ]);
    const [answer] = of(all, "comm_msg");
    const {
      method,
      states: models,
      buffer_paths,
    } = dataOf(answer) as {
      method: string;
      states: Record<string, { model_name: string; state: Record<string, unknown> }>;
      buffer_paths: string[][];
    };
    expect(method).toBe("update_states");
    const [[id, picture]] = Object.entries(models).filter(([, { model_name }]) => model_name === "ImageModel");
    expect(picture.state).toMatchObject({ _model_name: "ImageModel", format: "png" });
    expect(picture.state).not.toHaveProperty("value");
    expect(buffer_paths).toEqual([[id, "state", "value"]]);
    expect(answer.buffers).toEqual(["AQID"]);
    const [own] = of(one, "comm_msg");
    expect(dataOf(own)).toMatchObject({ method: "update", state: { format: "png" }, buffer_paths: [["value"]] });
    expect(own.buffers).toEqual(["AQID"]);
  });

  it("what a callback throws is shown below the controls, or in the cell, and the kernel goes on", async () => {
    const [, , below, again, , bare, after] = await drive([
      page,
      cell(
        `${IMPORT}const go = button("Go"); let times = 0;\n` +
          'go.onClick(() => { if (times++ === 0) throw new RangeError("<b>no</b>"); });\n' +
          'showWidget(go, { "text/plain": "still" });',
      ),
      click,
      click,
      cell(
        'import { currentKernel } from "./lib/report/kernel";\n' +
          'currentKernel()!.widgets.open({ _model_name: "BareModel" }, { message: async () => { throw new TypeError("bare"); } });',
      ),
      to("BareModel", { method: "custom", content: {} }),
      cell("6 * 7"),
    ]);
    const values = (answers: unknown): unknown[] =>
      of(answers, "comm_msg").map((answer) => (dataOf(answer).state as { value: string }).value);
    expect(values(below)).toEqual([expect.stringContaining("RangeError: &lt;b&gt;no&lt;/b&gt;")]);
    expect(values(again), "the notice of the last click is taken away").toEqual([""]);
    expect(of(below, "error")).toEqual([]);
    expect(of(bare, "error")[0]).toMatchObject({ own: false, content: { ename: "TypeError", evalue: "bare" } });
    expect(first(after)).toMatchObject({ status: "ok" });
  });

  it("a message of a running cell's time is handled at its next await", async () => {
    const [, , run] = await drive([
      page,
      cell(`${IMPORT}const box = checkbox("Stop"); showWidget(box, { "text/plain": "still" });`),
      cell(
        'import { currentKernel } from "./lib/report/kernel";\n' +
          'setTimeout(() => void box.set(true), 20); while (!box.value) await new Promise((r) => setTimeout(r, 5)); "ended"',
      ),
    ]);
    expect(first(run).data[0]["text/plain"]).toContain("ended");
  });

  it("a cell that is run again closes what it opened; others' widgets stay", async () => {
    const code = `${IMPORT}{ const go = button("Go"); go.onClose(() => console.log("released")); showWidget(go, { "text/plain": "still" }); }`;
    const count = (info: unknown): number => Object.keys((info as { comms: object }).comms).length;
    const ask: Step = { shell: { type: "comm_info_request", content: { target_name: "jupyter.widget" } } };
    const [, , one, , two, , again, late] = await drive([
      page,
      cell(code, "a"),
      ask,
      cell(code, "b"),
      ask,
      cell(code, "a"),
      ask,
      // The page closes the last one itself.
      { comm: { type: "comm_close", content: { comm_id: { model: "ButtonModel" }, data: {} } } },
    ]);
    expect(count(two)).toBe(2 * count(one));
    expect(count(again)).toBe(count(two));
    expect(printed(late)).toBe("released\n");
  });

  it("malformed messages are ignored, and the kernel goes on", async () => {
    const value = { method: "update", state: { index: 1 } };
    const bad: Step[] = [
      ...[null, 7, "text", [], {}, { method: 3 }, { method: "nothing" }, { method: "update" }].map((data) =>
        to("DropdownModel", data),
      ),
      ...[[], { index: 99 }, { index: -1 }, { index: "1" }, { index: null }, { __proto__: null, toString: 1 }].map(
        (state) => update("DropdownModel", state),
      ),
      ...[0, "x", [["index"]], [[]], [["a", "b"]], [7]].map((buffer_paths) =>
        to("DropdownModel", { ...value, buffer_paths }),
      ),
      to("DropdownModel", { ...value, buffer_paths: [["__proto__", "x"]] }, ["AA=="]),
      to("DropdownModel", { ...value, buffer_paths: [["state", 0]] }, ["AA=="]),
      to("DropdownModel", value, ["AA=="]),
      ...[
        {},
        { comm_id: 7 },
        { comm_id: "unknown" },
        { comm_id: "page" },
        { comm_id: "page", data: { method: 1 } },
      ].map((content): Step => ({ comm: { type: "comm_msg", content } })),
      { comm: { type: "comm_close", content: { comm_id: "unknown" } } },
      { comm: { type: "comm_close", content: {} } },
      { comm: { type: "comm_open", content: { target_name: "jupyter.widget.control" } } },
    ];
    const frames = [["<IDS|MSG>", "", "{}", "{}", "{}", "{}"], ["nothing"], ["<IDS|MSG>", "x", "no json", "", "", ""]];
    const answers = await drive([
      page,
      cell(`${IMPORT}const pick = dropdown("Pick", ["a", "b"]); showWidget(pick, { "text/plain": "still" });`),
      ...bad,
      ...frames.map((raw): Step => ({ raw: raw.map((frame) => Buffer.from(frame).toString("base64")) })),
      { comm: { type: "comm_open", content: { comm_id: "x", target_name: "unknown", data: {} } } },
      cell("`${pick.value} ${({} as { x?: unknown }).x}`"),
      update("DropdownModel", { index: 1 }),
      cell("pick.value"),
    ]);
    for (const answer of answers.slice(2, 2 + bad.length)) expect(of(answer, "error")).toEqual([]);
    const [refused, before, , after] = answers.slice(-4);
    expect(of(refused, "comm_close")[0].content).toEqual({ comm_id: "x", data: {} });
    expect(first(before)).toMatchObject({ status: "ok" });
    expect(first(before).data[0]["text/plain"]).toContain("a undefined");
    expect(first(after).data[0]["text/plain"]).toContain("b");
  });
});
