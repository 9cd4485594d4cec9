import { readFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { SETTINGS } from "../../lib/experiment/settings";
import { listed } from "../../lib/util/declared";
import { root } from "../../tools/environment";
import { settingsPage } from "../../tools/settings-page";

describe("docs/settings.md", () => {
  it("is what the declarations say", () => {
    expect(readFileSync(path.join(root, "docs/settings.md"), "utf8")).toBe(settingsPage());
  });

  it("has every setting once", () => {
    const page = settingsPage();
    for (const { name } of listed(SETTINGS)) expect(page.split(`| \`${name}\` |`)).toHaveLength(2);
  });
});
