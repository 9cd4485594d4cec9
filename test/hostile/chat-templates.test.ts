/** Chat templates of others: errors name the file, and none takes for ever or fills the memory. */
import { Template } from "@huggingface/jinja";
import { writeFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { chatTemplate, loadChatTemplate, QWEN2_5_VL_TEMPLATE } from "../../lib/processor/chat-template";
import { compileJinja } from "../../lib/processor/jinja";
import { temporaryFolder } from "../benchmark/photographs/trees";

const folder = temporaryFolder();
const file = path.join(folder, "chat_template.jinja");
const messages = [
  {
    role: "user" as const,
    content: [
      { type: "image" as const, image: "a.png" },
      { type: "text" as const, text: "Q" },
    ],
  },
];

/** What the folder's template makes of the messages. */
function rendered(source: string): string {
  writeFileSync(file, source);
  return loadChatTemplate(folder)(messages, true);
}

describe("a template that is wrong", () => {
  it.each([
    ["has a statement that Jinja has not", "{% foo %}", /foo/],
    ["is cut off", "{% for m in messages %}{{ m", /.+/],
    ["calls what is no function", "{{ messages() }}", /not a function/],
    ["refuses the messages", "{{ raise_exception('no images') }}", /no images$/],
    ["is nested deep", `{{ ${"(".repeat(50_000)}`, /.+/],
  ])("%s", (_, source, message) => {
    const error = (() => {
      try {
        return rendered(source);
      } catch (reason) {
        return (reason as Error).message;
      }
    })();
    expect(error.startsWith(`${file}: chat_template: `)).toBe(true);
    expect(error.slice(file.length)).toMatch(message);
  });

  it("is named by its file in tokenizer_config.json too", () => {
    const other = path.join(temporaryFolder(), "tokenizer_config.json");
    writeFileSync(other, JSON.stringify({ chat_template: "{% foo %}" }));
    expect(() => loadChatTemplate(path.dirname(other))).toThrow(`${other}: chat_template: `);
  });
});

describe("a template that does not end", () => {
  it("is stopped after 5 s", () => {
    const loops = ["a", "b", "c"].map((name) => `{% for ${name} in range(10000) %}`).join("");
    const start = Date.now();
    expect(() => rendered(`${loops}${"{% endfor %}".repeat(3)}`)).toThrow(
      `${file}: chat_template: the template took longer than 5 s; it may loop without end`,
    );
    expect(Date.now() - start).toBeLessThan(20_000);
  }, 40_000);

  it.each(["1000000000", "0, 1000000000", "0, 10, 0", "0, 1, 0.0000001"])(
    "has no range of more than 100,000 numbers: range(%s)",
    (of) => {
      const start = Date.now();
      expect(() => rendered(`{% for i in range(${of}) %}{% endfor %}`)).toThrow(
        /chat_template: range\(.*\) has no length up to 100000$/,
      );
      expect(Date.now() - start).toBeLessThan(2000);
    },
  );

  it("makes no text without end", () => {
    const doubled =
      "{% set n = namespace(s='xxxxxxxx') %}{% for i in range(40) %}{% set n.s = n.s + n.s %}{% endfor %}";
    expect(() => rendered(`${doubled}{{ n.s }}`)).toThrow(`${file}: chat_template: `);
    expect(() => rendered(`${doubled.replace("40", "25")}{{ n.s }}`)).toThrow(/makes a text of more than 16777216/);
  });
});

describe("a template under limits", () => {
  it.each([
    "{% for i in range(3) %}{{ i }}{% endfor %}{% for i in range(2, 9, 3) %}{{ i }}{% endfor %}",
    "{% for i in range(5, 0, -2) %}{{ i }}{% endfor %}{{ range(0) | length }}{{ range(5, 2) | length }}",
    "{{ true }}{{ False }}{{ none is none }}{{ None }}{{ x is defined }}{{ strftime_now('%Y') }}",
    "{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(x) }}{% set n = namespace(k=1) %}{{ n.k }}{{ [1, 'a'] | tojson }}",
    QWEN2_5_VL_TEMPLATE,
  ])("renders as the library does: %s", (source) => {
    const values = { x: "y", messages, add_generation_prompt: true };
    expect(compileJinja(source, { where: "t" })(values)).toBe(new Template(source).render(values));
  });

  it("of Qwen2.5-VL is as quick as without", () => {
    const render = chatTemplate(QWEN2_5_VL_TEMPLATE);
    const bare = new Template(QWEN2_5_VL_TEMPLATE);
    const fastest = (work: () => unknown): number => {
      const times = Array.from({ length: 300 }, () => {
        const start = performance.now();
        work();
        return performance.now() - start;
      });
      return Math.min(...times);
    };
    const [own, plain] = [
      () => render(messages, true),
      () => bare.render({ messages, add_generation_prompt: true }),
    ].map(fastest);
    expect(own).toBeLessThan(2 * plain + 0.05);
  });
});
