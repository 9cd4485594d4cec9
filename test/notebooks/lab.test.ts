/** `npm run lab` serves JupyterLab, with the project's kernel, to this machine only. Assumes that set-up is done. */
import { spawn } from "node:child_process";
import * as path from "node:path";
import { expect, it } from "vitest";
import { root } from "../../tools/environment";

it("JupyterLab starts with the project's kernel on 127.0.0.1", { timeout: 240_000 }, async () => {
  const lab = spawn(
    process.execPath,
    ["--import", "tsx", path.join(root, "tools/lab.ts"), "--no-browser", "--ServerApp.port=0"],
    { cwd: root },
  );
  let said = "";
  try {
    const url = await new Promise<string>((resolve, reject) => {
      const read = (data: Buffer): void => {
        said += data.toString();
        const match = /http:\/\/127\.0\.0\.1:\d+\/\S*token=[0-9a-f]+/.exec(said);
        if (match) resolve(match[0]);
      };
      lab.stdout.on("data", read);
      lab.stderr.on("data", read);
      lab.once("close", () => reject(new Error(`JupyterLab ended:\n${said}`)));
    });
    expect(said).not.toContain("Traceback");
    const token = new URL(url).searchParams.get("token") ?? "";
    const get = (page: string): Promise<Response> =>
      fetch(`${new URL(url).origin}${page}`, { headers: { Authorization: `token ${token}` } });
    const stranger = await fetch(`${new URL(url).origin}/api/kernelspecs`);
    expect([stranger.status, token.length >= 32]).toEqual([403, true]);
    const specs = (await (await get("/api/kernelspecs")).json()) as {
      default: string;
      kernelspecs: Record<string, unknown>;
    };
    expect(specs.default).toBe("tslab-fine-r1");
    expect(Object.keys(specs.kernelspecs)).toContain("tslab-fine-r1");
    const page = await get("/lab");
    expect(page.status).toBe(200);
    expect(await page.text()).toContain("jupyter-config-data");
  } finally {
    const ended = new Promise((resolve) => lab.once("close", resolve));
    lab.kill("SIGTERM");
    await ended;
  }
});
