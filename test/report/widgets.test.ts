import { afterEach, describe, expect, it, vi } from "vitest";
import * as kernels from "../../lib/report/kernel";
import { showWidget } from "../../lib/report/show-widget";
import {
  button,
  checkbox,
  column,
  dropdown,
  fileUpload,
  html,
  image,
  intSlider,
  row,
  textBox,
  toggleButtons,
  UPLOAD_BYTES,
} from "../../lib/report/widgets";
import type { Widget } from "../../lib/report/widget";
import { fakePage } from "./fake-page";

afterEach(() => void vi.restoreAllMocks());

const VIEW = "application/vnd.jupyter.widget-view+json";

function shown(widget: Widget): ReturnType<typeof fakePage> {
  const page = fakePage();
  vi.spyOn(kernels, "currentKernel").mockReturnValue(page.kernel);
  showWidget(widget, { "text/plain": "<still>" });
  return page;
}
const notice = (page: ReturnType<typeof fakePage>): string => {
  const all = page.models.filter(({ state }) => state._model_name === "HTMLModel");
  return String(all.at(-1)!.state.value);
};

describe("states", () => {
  it("name the front end's classes and hold what the protocol wants", () => {
    expect(dropdown("Pick", ["a", { label: "B", value: "b" }], { value: "b" }).state).toEqual({
      _model_module: "@jupyter-widgets/controls",
      _model_module_version: "2.0.0",
      _model_name: "DropdownModel",
      _view_module: "@jupyter-widgets/controls",
      _view_module_version: "2.0.0",
      _view_name: "DropdownView",
      description: "Pick",
      disabled: false,
      _options_labels: ["a", "B"],
      index: 1,
    });
    expect(toggleButtons("T", ["a"]).state).toMatchObject({ _view_name: "ToggleButtonsView", index: 0 });
    expect(textBox("T", { value: "x" }).state).toMatchObject({ _view_name: "TextView", value: "x" });
    expect(checkbox("C").state).toMatchObject({ _view_name: "CheckboxView", value: false });
    expect(intSlider("S", { min: 1, max: 3 }).state).toMatchObject({ _view_name: "IntSliderView", value: 1, max: 3 });
    expect(fileUpload("F").state).toMatchObject({ _view_name: "FileUploadView", value: [], multiple: false });
    expect(button("Go").state).toMatchObject({ _view_name: "ButtonView", description: "Go" });
    expect(html("<i>x</i>").state.value).toContain("<i>x</i>");
    expect(image(new Uint8Array([1])).state).toMatchObject({ format: "png", value: new Uint8Array([1]) });
  });

  it("refuse what a control cannot have", () => {
    expect(() => dropdown("Pick", [])).toThrow(/Pick: nothing to choose from/);
    expect(() => dropdown("Pick", ["a"], { value: "b" })).toThrow(/Pick: no choice is "b"; there are a/);
    expect(() => dropdown("Pick", ["a"]).set("b")).toThrow(/Pick/);
    expect(() => intSlider("S", { min: 3, max: 1 })).toThrow(/no range/);
    expect(() => intSlider("S", { min: 1, max: 3, value: 4 })).toThrow(/from 1 to 3, got 4/);
    expect(() => checkbox("C").set("yes" as unknown as boolean)).toThrow(/true or false/);
  });
});

describe("showWidget", () => {
  it("shows the static form alone where no page listens", () => {
    const page = fakePage(false);
    vi.spyOn(kernels, "currentKernel").mockReturnValue(page.kernel);
    expect(showWidget(button("Go"), { "text/plain": "still" })).toBe(false);
    expect(page.shown).toEqual([{ "text/plain": "still" }]);
    expect(page.models).toEqual([]);
  });

  it("shows the static form, escaped, and beside it the view of a box with the widget", () => {
    const page = shown(row(button("Go")));
    expect(page.shown).toHaveLength(2);
    expect(page.shown[0]["text/html"]).toContain('<div class="fine-r1-static"><pre>&lt;still&gt;</pre></div>');
    const { model_id } = page.shown[1][VIEW] as { model_id: string };
    const box = page.models.find(({ id }) => id === model_id)!;
    expect(box.state.children).toEqual([`IPY_MODEL_${page.model("HBox").id}`, `IPY_MODEL_${page.model("HTML").id}`]);
    expect(page.model("HBox").state).toMatchObject({
      children: [`IPY_MODEL_${page.model("Button").id}`],
      layout: `IPY_MODEL_${page.model("Layout").id}`,
    });
  });

  it("closes everything with the widget, once", () => {
    const go = button("Go");
    const closed = vi.fn();
    go.onClose(closed);
    const whole = column(row(go), html());
    const page = shown(whole);
    whole.close();
    whole.close();
    go.close();
    expect(page.models.filter(({ isOpen }) => isOpen)).toEqual([]);
    expect(closed).toHaveBeenCalledTimes(1);
  });
});

describe("values from the page", () => {
  it("are taken, and listeners hear of them in turn, not of set", async () => {
    const pick = dropdown("Pick", ["a", "b", "c"]);
    const heard: string[] = [];
    pick.onChange(async (value) => {
      await Promise.resolve();
      heard.push(`first ${value}`);
    });
    pick.onChange((value) => void heard.push(`second ${value}`));
    const page = shown(pick);
    await page.send(page.model("Dropdown"), { index: 2, other: 1 });
    pick.set("b");
    expect(heard).toEqual(["first c", "second c"]);
    expect(page.model("Dropdown").state).toMatchObject({ index: 1 });
    expect(page.model("Dropdown").state).not.toHaveProperty("other");
  });

  it("keep a value among other choices, else take the first", () => {
    const pick = dropdown("Pick", ["a", "b"], { value: "b" });
    pick.setChoices(["x", "b"]);
    expect([pick.value, pick.state.index]).toEqual(["b", 1]);
    pick.setChoices(["y", "z"]);
    expect([pick.value, pick.state.index, pick.state._options_labels]).toEqual(["y", 0, ["y", "z"]]);
  });

  it.each([99, -1, 0.5, "0", null, {}, NaN])("refuse the place %s", async (index) => {
    const pick = dropdown("Pick", ["a", "b"]);
    const page = shown(pick);
    await page.send(page.model("Dropdown"), { index });
    expect(pick.value).toBe("a");
    expect(notice(page)).toContain("Pick: no choice has the number");
  });

  it("take a file's bytes without keeping them in the state, up to the limit", async () => {
    const file = fileUpload("File");
    const page = shown(file);
    const model = page.model("FileUpload");
    await page.send(model, { value: [{ name: "a.png", content: new Uint8Array([7, 8]) }] });
    expect(file.value).toEqual({ name: "a.png", bytes: new Uint8Array([7, 8]) });
    expect(model.state.value).toEqual([]);
    await page.send(model, { value: [{ name: "<b>.png", content: new Uint8Array(UPLOAD_BYTES + 1) }] });
    expect(notice(page)).toContain("&lt;b&gt;.png: 20.0 MB; at most 20 MB are taken");
    expect(file.value?.name).toBe("a.png");
    await page.send(model, { value: [{ name: 3, content: "x" }] });
    expect(notice(page)).toContain("without a name or bytes");
    file.set(null);
    expect(file.value).toBeNull();
  });

  it("what a listener throws stands below the controls until the next call", async () => {
    const go = button("Go");
    let times = 0;
    go.onClick(() => {
      if (times++ === 0) throw new TypeError("<i>");
    });
    const page = shown(go);
    await page.click(page.model("Button"));
    expect(notice(page)).toContain("TypeError: &lt;i&gt;");
    await page.click(page.model("Button"));
    expect(notice(page)).toBe("");
  });
});
