/**
 * Showing a widget, and what stands in its place where no page draws it.
 *
 * One output with both would not do: JupyterLab takes the widget of the two, and in a notebook that is opened again it
 * then says "model not found" in place of the static form. So there are two outputs, the static form first. Its style
 * shows one of them: the widget where it lives, else the static form (a notebook opened again, a kernel that was
 * restarted). Viewers that know no widgets show the static form and an empty line. Where no page with a widget front
 * end is connected (headless runs), the static form is the only output: the saved notebook has no trace of a widget.
 */
import { escapeHtml } from "../util/escape-html";
import { currentKernel, type Failure, type MimeBundle } from "./kernel";
import { show } from "./notebook";
import type { Widget } from "./widget";
import { column, html } from "./widgets";

const VIEW = "application/vnd.jupyter.widget-view+json";

/** A widget that is drawn and connected, in JupyterLab's output beside a prompt. */
const LIVE = ".jp-OutputArea-output > .jupyter-widgets:not(.jupyter-widgets-disconnected)";
const STATIC = ".jp-OutputArea-child:has(.fine-r1-static)";
const STYLE = `<style>
${STATIC}:has(+ .jp-OutputArea-child > ${LIVE}) { display: none }
${STATIC} + .jp-OutputArea-child:not(:has(> ${LIVE})) { display: none }
</style>`;

/** What a failure looks like below the controls; escaped. */
export function failureHtml({ ename, evalue, traceback }: Failure): string {
  const details =
    traceback.length > 0 ? `<details><summary>Where</summary>${escapeHtml(traceback.join("\n"))}</details>` : "";
  return `<div role="alert" style="white-space:pre-wrap;border-left:3px solid #d55e00;padding-left:0.6em;line-height:1.4">${escapeHtml(ename === "Error" ? evalue : `${ename}: ${evalue}`)}${details}</div>`;
}

/**
 * Shows a widget in the running cell where a page draws it, and `fallback` everywhere else.
 *
 * @param fallback the static form: `text/plain`, and `text/html` where there is a richer one
 * @returns whether the widget was shown; where it was not, nothing will call its listeners
 */
export function showWidget(widget: Widget, fallback: MimeBundle & { "text/plain": string }): boolean {
  const kernel = currentKernel();
  if (!kernel?.widgets.isListening) {
    show(fallback);
    return false;
  }
  const plain = `<pre>${escapeHtml(fallback["text/plain"])}</pre>`;
  const still = (fallback["text/html"] as string | undefined) ?? plain;
  show({ ...fallback, "text/html": `${STYLE}<div class="fine-r1-static">${still}</div>` });
  const notice = html();
  const whole = column(widget, notice);
  widget.onClose(() => whole.close());
  const id = whole.open(kernel.widgets, (failure) => {
    if (failure) notice.set(failureHtml(failure));
    else if (notice.state.value !== "") notice.set("");
  });
  show({ [VIEW]: { version_major: 2, version_minor: 0, model_id: id }, "text/plain": "" });
  return true;
}
