import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { loadChatTemplate } from "../../lib/processor/chat-template";

const folder = mkdtempSync(path.join(tmpdir(), "template-"));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, value: unknown): void =>
  writeFileSync(path.join(folder, name), typeof value === "string" ? value : JSON.stringify(value));
const rendered = (): string => loadChatTemplate(folder)([{ role: "user", content: "Q" }], true);
beforeEach(() => {
  for (const name of ["chat_template.jinja", "chat_template.json", "tokenizer_config.json"])
    rmSync(path.join(folder, name), { force: true });
});
const named = (...names: string[]) => names.map((name) => ({ name, template: `${name}: {{ messages[0].content }}` }));

describe("loadChatTemplate", () => {
  it("takes `default` of named templates, and the only one where there is one", () => {
    write("tokenizer_config.json", { chat_template: named("tool_use", "default", "rag") });
    expect(rendered()).toBe("default: Q");
    write("tokenizer_config.json", { chat_template: named("vision") });
    expect(rendered()).toBe("vision: Q");
    write("chat_template.json", { chat_template: named("rag", "default") });
    expect(rendered()).toBe("default: Q");
  });

  it("names the templates where several have no default", () => {
    write("tokenizer_config.json", { chat_template: named("tool_use", "rag") });
    expect(rendered).toThrow(
      `${path.join(folder, "tokenizer_config.json")}: chat_template has "tool_use", "rag" and none is named "default"`,
    );
  });

  it.each([[[]], [5], [[{ name: "default" }]], [[null]], [[...named("default"), "x"]]])(
    "refuses %j as a template",
    (field) => {
      write("tokenizer_config.json", { chat_template: field });
      expect(rendered).toThrow("chat_template is neither a text nor a list of {name, template}");
    },
  );

  it("looks into the files in transformers' order, past a file without one", () => {
    write("tokenizer_config.json", { chat_template: "config" });
    expect(rendered()).toBe("config");
    write("chat_template.json", {});
    expect(rendered()).toBe("config");
    write("chat_template.json", { chat_template: "json" });
    expect(rendered()).toBe("json");
    write("chat_template.jinja", "jinja");
    expect(rendered()).toBe("jinja");
  });

  it("says where it looked", () => expect(rendered).toThrow(`${folder}: no chat template in chat_template.jinja`));
});
