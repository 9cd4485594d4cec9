import { afterEach, describe, expect, it, vi } from "vitest";
import type { MimeBundle } from "../../lib/report/kernel";
import * as kernel from "../../lib/report/kernel";
import { OWN_KEYS } from "../../lib/report/notebook";
import { showText } from "../../lib/report/show-text";

afterEach(() => void vi.restoreAllMocks());

describe("showText", () => {
  it("shows a text's tags, and runs none", () => {
    const shown: MimeBundle[] = [];
    vi.spyOn(kernel, "currentKernel").mockReturnValue({
      display: (bundle: MimeBundle) => void shown.push(bundle),
    } as unknown as ReturnType<typeof kernel.currentKernel>);
    showText('<think>a\n<img src=x onerror="alert(1)"></think>', "<b>which?</b>");
    const html = shown[0]["text/html"] as string;
    expect(html).toContain("&lt;think&gt;a\n&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&lt;/think&gt;</div>");
    expect(html).toContain("<b>&lt;b&gt;which?&lt;/b&gt;</b>");
    expect(html).toContain(`tabindex="0" ${OWN_KEYS}`); // else the arrow keys choose another cell
    expect(html.match(/<(?!\/?(?:div|b)\b)/)).toBeNull();
    expect(shown[0]["text/plain"]).toBe('<b>which?</b>\n<think>a\n<img src=x onerror="alert(1)"></think>');
  });

  it("prints the text where there is no kernel", () => {
    const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
    showText("a\nb");
    expect(log.mock.calls).toEqual([["a\nb"]]);
  });
});
