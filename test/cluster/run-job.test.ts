/** Ray's Jobs REST API as a loopback server: what it is asked, and what becomes of its answers. */
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createJobsApi } from "../../lib/cluster/jobs-api";
import { MARK } from "../../lib/cluster/messages";
import { runJob } from "../../lib/cluster/run-job";

interface Seen {
  method: string;
  url: string;
  headers: http.IncomingHttpHeaders;
  body: string;
}

let server: http.Server | null = null;
afterEach(() => void server?.close());

type Answer = { status?: number; body: unknown };

async function fakeRay(answer: (seen: Seen, count: number) => Answer): Promise<{ address: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (data: Buffer) => (body += data.toString()));
    request.on("end", () => {
      const one = { method: request.method!, url: request.url!, headers: request.headers, body };
      seen.push(one);
      const { status = 200, body: text } = answer(one, seen.length);
      response.writeHead(status).end(typeof text === "string" ? text : JSON.stringify(text));
    });
  });
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const message = (fields: object): string => `${MARK}${JSON.stringify(fields)}\n`;
const quiet = () => {
  const events: string[] = [];
  return {
    events,
    display: { event: (text: string) => void events.push(text), block: () => undefined, close: () => undefined },
  };
};
const sleep = (): Promise<void> => Promise.resolve();

/** A job whose log grows at each look, and that ends when all of it was given. */
function job(pieces: readonly string[], end: string) {
  let looks = 0;
  return ({ method, url }: Seen): Answer => {
    if (method === "POST" && url === "/api/jobs/") return { body: { submission_id: "raysubmit_x" } };
    if (url.endsWith("/logs")) return { body: { logs: pieces.slice(0, looks).join("") } };
    looks++;
    return { body: { status: looks >= pieces.length ? end : "RUNNING", message: "why" } };
  };
}

describe("a job", () => {
  it("is submitted with the token, watched, and over when every task is done", async () => {
    const log = [
      message({ kind: "cluster", nodes: 1, cpus: 2, gpus: 0 }),
      message({ kind: "started", task: "a", attempt: 1, host: "h", pid: 4 }) + message({ kind: "done", task: "a" }),
      message({ kind: "done", task: "b" }) + message({ kind: "end", failed: 0 }),
    ];
    const { address, seen } = await fakeRay(job(log, "SUCCEEDED"));
    const { events, display } = quiet();
    const api = createJobsApi(address, "secret-token");
    await runJob(api, { entrypoint: "run me", tasks: ["a", "b"], name: "n", display, sleep });
    expect(events).toEqual([
      `Ray: job raysubmit_x at ${address}`,
      "Ray: 1 node, 2 cores",
      "a: on h",
      "a: done",
      "b: done",
    ]);
    expect(JSON.parse(seen[0].body)).toEqual({ entrypoint: "run me", metadata: { name: "n" } });
    expect(seen.every(({ headers }) => headers.authorization === "Bearer secret-token")).toBe(true);
    // what Ray takes for a browser's is refused
    expect(seen.some(({ headers }) => "sec-fetch-mode" in headers || /Mozilla/.test(headers["user-agent"] ?? ""))).toBe(
      false,
    );
  });

  it("fails with the names of the tasks that did", async () => {
    const log = [
      message({ kind: "failed", task: "a", reason: "exit code 1", tail: ["last words"] }) +
        message({ kind: "done", task: "b" }),
    ];
    const { address } = await fakeRay(job(log, "FAILED"));
    const { events, display } = quiet();
    const running = runJob(createJobsApi(address), { entrypoint: "x", tasks: ["a", "b"], name: "n", display, sleep });
    await expect(running).rejects.toThrow("1 of 2 tasks failed: a (reasons above)");
    expect(events).toContain("a: failed: exit code 1\n  last words");
  });

  it.each(["SUCCEEDED", "FAILED"])("that ends as %s without a word of the driver's shows Ray's", async (end) => {
    const { address } = await fakeRay(job(["ModuleNotFoundError: ray\n"], end));
    const running = runJob(createJobsApi(address), {
      entrypoint: "x",
      tasks: ["a"],
      name: "n",
      display: quiet().display,
      sleep,
    });
    await expect(running).rejects.toThrow(
      new RegExp(`raysubmit_x ended as ${end} before its tasks did: why\\n  ModuleNotFoundError`),
    );
  });

  it("is looked for again when the dashboard fails for a while, and stopped on a signal", async () => {
    const stop = new AbortController();
    const { address, seen } = await fakeRay(({ method, url }, count) => {
      if (url === "/api/jobs/") return { body: { submission_id: "j" } };
      if (method === "POST") return { body: { stopped: true } };
      if (count === 3) stop.abort(new Error("enough"));
      return { status: 503, body: "busy" };
    });
    const { events, display } = quiet();
    const running = runJob(createJobsApi(address), {
      entrypoint: "x",
      tasks: ["a"],
      name: "n",
      display,
      sleep,
      signal: stop.signal,
    });
    await expect(running).rejects.toThrow("enough");
    expect(seen.at(-1)).toMatchObject({ method: "POST", url: "/api/jobs/j/stop" });
    expect(events[1]).toMatch(/answers 503: busy; looking again \(1 of 20\)/);
  });
});

describe("a cluster that cannot be asked", () => {
  it("is said with its address and what to do", async () => {
    const { address } = await fakeRay(({ headers }) => ({
      status: headers.authorization ? 403 : 401,
      body: "Unauthorized",
    }));
    await expect(createJobsApi(address).version()).rejects.toThrow(/asks for a token: set RAY_AUTH_TOKEN/);
    const refused = createJobsApi(address, "wrong-one").version();
    await expect(refused).rejects.toThrow(/refuses the token in RAY_AUTH_TOKEN/);
    await expect(refused).rejects.not.toThrow(/wrong-one/);
    await new Promise((resolve) => server!.close(resolve));
    await expect(createJobsApi(address).version()).rejects.toThrow(/nothing listens there; is Ray running\?/);
  });

  it.each([["<html>"], [[]], [{ version: "4" }]])("answers %j, which is none of Ray's", async (body) => {
    const { address } = await fakeRay(() => ({ body }));
    await expect(createJobsApi(address).version()).rejects.toThrow(/is it a Ray dashboard\?|no ray_version/);
  });
});
