import fs from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { pipSettings, uvEnvironment, uvVersion } from "../../tools/setup/uv.mjs";

const lock = fs.readFileSync(path.join(import.meta.dirname, "../../requirements.lock"), "utf8");

describe("uv's environment", () => {
  it("is what pip is configured for, as pip ranks its settings", () => {
    const settings = pipSettings(
      [
        ":env:.index-url='https://c.example/simple'",
        "global.index-url='https://a.example/simple'",
        "install.index-url='https://b.example/simple'",
        "global.extra-index-url='\\nhttps://d.example/simple\\nhttps://e.example/simple'",
        "install.trusted-host='a.example b.example'",
        "global.cert='/etc/it\\\\s.pem'",
        ":env:.find-links='/wheels /more'",
        ":env:.default-timeout='180'",
        ":env:.no-index='true'",
        "freeze.timeout='1'",
        "WARNING: something else",
      ].join("\n"),
    );
    expect(uvEnvironment(settings, { PATH: "/bin" })).toEqual({
      PATH: "/bin",
      UV_DEFAULT_INDEX: "https://c.example/simple",
      UV_INDEX: "https://d.example/simple https://e.example/simple",
      UV_INDEX_STRATEGY: "unsafe-best-match",
      UV_INSECURE_HOST: "a.example b.example",
      UV_FIND_LINKS: "/wheels,/more",
      UV_HTTP_TIMEOUT: "180",
      UV_NO_INDEX: "1",
      SSL_CERT_FILE: "/etc/it\\s.pem",
      UV_PYTHON_DOWNLOADS: "never",
      UV_NO_PROGRESS: "1",
    });
  });

  it("says nothing of an index where pip has none, and leaves what the user has set for uv", () => {
    expect(Object.keys(uvEnvironment(new Map(), {})).filter((name) => /INDEX|LINKS|SSL|PROXY/.test(name))).toEqual([]);
    const settings = pipSettings("global.index-url='https://a.example'\nglobal.cert='/a.pem'");
    const mine = { UV_DEFAULT_INDEX: "https://mine.example", SSL_CERT_FILE: "/mine.pem" };
    expect(uvEnvironment(settings, mine)).toMatchObject(mine);
    const older = { UV_INDEX_URL: "https://mine.example" };
    expect(uvEnvironment(settings, older)).not.toHaveProperty("UV_DEFAULT_INDEX");
  });

  it("is uv of the version in requirements.lock", () => {
    expect(uvVersion(lock)).toMatch(/^\d+\.\d+\.\d+$/);
    const other = `# [uv]\npip==26.3 \\\n    --hash=sha256:${"0".repeat(64)}\n`;
    expect(() => uvVersion(other)).toThrow(/no line uv==VERSION/);
    expect(() => uvVersion("# [always]\n")).toThrow(/no section \[uv\]/);
  });
});
