/** What programs of others, run by `npm run interop`, get of the environment. */
import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { childEnvironment, installEnvironment } from "../../tools/interop/child-environment";

const needed = {
  PATH: "/bin",
  HOME: "/home/a",
  LANG: "de_DE.UTF-8",
  LC_ALL: "C",
  HTTPS_PROXY: "http://proxy:1",
  no_proxy: "localhost",
  HF_HOME: "/cache",
  SSL_CERT_FILE: "/ca.pem",
  FINE_R1_DEVICE: "cpu",
};
const secret = {
  OPENAI_API_KEY: "k",
  FINE_R1_SERVE_KEY: "k",
  HF_TOKEN: "k",
  WANDB_API_KEY: "k",
  AWS_SECRET_ACCESS_KEY: "k",
  GITHUB_TOKEN: "k",
  NPM_TOKEN: "k",
  MY_PATH: "k",
  PATH_KEY: "k",
  HTTP_PROXY_AUTHORIZATION: "k",
};
const pip = { PIP_INDEX_URL: "https://user:password@index.example/simple", UV_INDEX_URL: "x" };

describe("the environment of interop's programs", () => {
  it("has what they need and no key", () => {
    const all = { ...needed, ...secret, ...pip };
    expect(childEnvironment({ OMP_NUM_THREADS: "1" }, all)).toEqual({ ...needed, OMP_NUM_THREADS: "1" });
    expect(installEnvironment({}, all)).toEqual({ ...needed, ...pip });
  });

  it("is the only one that they get", () => {
    const folder = path.join(__dirname, "../../tools/interop");
    const files = readdirSync(folder).filter((name) => name.endsWith(".ts") && name !== "child-environment.ts");
    for (const name of files) {
      const text = readFileSync(path.join(folder, name), "utf8");
      expect(text, name).not.toMatch(/\.\.\.process\.env/);
      for (const call of text.match(/\b(?:spawn|spawnSync|execFileSync)\([^;]*;/g) ?? [])
        expect(call, name).toMatch(/\benv\b/);
    }
  });
});
