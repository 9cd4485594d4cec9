/** `npm run lab` serves JupyterLab, with the project's kernel, to this machine only. Assumes that set-up is done. */
import { expect, it } from "vitest";
import { startLabServer } from "../helpers/lab-server";

it("JupyterLab starts with the project's kernel on 127.0.0.1", { timeout: 240_000 }, async () => {
  const { origin, token, said, stop } = await startLabServer();
  try {
    expect(said()).not.toContain("Traceback");
    const get = (page: string): Promise<Response> =>
      fetch(`${origin}${page}`, { headers: { Authorization: `token ${token}` } });
    const stranger = await fetch(`${origin}/api/kernelspecs`);
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
    await stop();
  }
});
