/** Which hosts an endpoint talks to, and what of the key they see. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { createChatEndpoint } from "../../lib/rollout/chat-endpoint";
import { isLoopback } from "../../lib/rollout/endpoint-fetch";
import { chatServer } from "../helpers/chat-server";
import { KEY, request, scripted } from "../helpers/scripted-endpoint";

describe("createChatEndpoint: hosts and keys", () => {
  it("does not show the key to another host that the server sends it on to, and says where that was", async () => {
    const elsewhere = await chatServer((_, before) =>
      before === 0 ? { texts: ["a fox"] } : { status: 401, message: "no key" },
    );
    const location = `${elsewhere.baseUrl}/chat/completions?token=1`;
    const { server, endpoint } = await scripted([307, 308, 307].map((status) => ({ status, headers: { location } })));
    expect(await endpoint.ask(request)).toEqual([{ text: "a fox", finished: true }]);
    await expect(endpoint.ask(request)).rejects.toThrow(
      new RegExp(
        `401 no key; the server sent the request on to ${elsewhere.baseUrl}/chat/completions, which is not shown the key`,
      ),
    );
    expect(server.requests[0].headers.authorization).toBe(`Bearer ${KEY}`);
    expect(elsewhere.requests.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
    expect(JSON.stringify(elsewhere.requests)).not.toContain(KEY);
  });

  it.each([301, 302, 303])(
    "%d to another host: a question is not a page, and the key does not travel",
    async (status) => {
      const elsewhere = await chatServer(() => ({ raw: "<html>log in</html>", type: "text/html" }));
      const location = `${elsewhere.baseUrl}/login`;
      const { endpoint } = await scripted([{ status, headers: { location } }], { retries: 0 });
      await expect(endpoint.ask(request)).rejects.toThrow(
        /no JSON object but string .*; the server sent the request on to http:.*\/login, which is not shown the key/,
      );
      expect(elsewhere.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
      expect(await endpoint.ask(request)).toEqual([{ text: "a fox", finished: true }]);
    },
  );

  it("a server that sends on to itself for ever is an error", async () => {
    const server = await chatServer(() => ({ status: 307, headers: { location: "/v1/again" } }));
    const endpoint = createChatEndpoint({ baseUrl: server.baseUrl, model: "toy", retries: 0 });
    await expect(endpoint.ask(request)).rejects.toThrow(/Connection error.*redirect/);
    expect(server.requests.length).toBeLessThan(30);
  });

  it("a local server is asked itself, whatever proxy there is", async () => {
    const proxy = await chatServer(() => ({ status: 502, message: "proxy" }));
    const server = await chatServer(() => ({ texts: ["a fox"] }));
    const code = `
      const { createChatEndpoint } = require("./lib/rollout/chat-endpoint");
      createChatEndpoint({ baseUrl: ${JSON.stringify(server.baseUrl)}, model: "toy", retries: 0 })
        .ask(${JSON.stringify(request)})
        .then((answers) => console.log(answers[0].text), (error) => console.log(error.message));`;
    const address = proxy.baseUrl.replace("/v1", "");
    const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"];
    // Node 22.21 and 24 send everything to a proxy under NODE_USE_ENV_PROXY, this machine too.
    const env = {
      ...process.env,
      NODE_USE_ENV_PROXY: "1",
      ...Object.fromEntries(names.map((name) => [name, address])),
    };
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", "-e", code], { env });
    expect(stdout).toBe("a fox\n");
    expect([proxy.requests.length, server.requests.length]).toEqual([0, 1]);
  });

  it.each([
    ["127.0.0.1", true],
    ["127.8.9.1", true],
    ["localhost", true],
    ["[::1]", true],
    ["127.0.0.1.example.org", false],
    ["localhost.example.org", false],
    ["10.0.0.1", false],
    ["example.org", false],
  ])("%s is this machine: %s", (host, local) => expect(isLoopback(host)).toBe(local));

  it("takes a placeholder for no secret: answers keep their letters", async () => {
    const { endpoint } = await scripted([], { apiKey: "fox" });
    expect(await endpoint.ask(request)).toEqual([{ text: "a fox", finished: true }]);
  });

  it("refuses a key that can't stand in a header, without showing it", () => {
    for (const apiKey of ["sk-secret\nX-Evil: 1", "sk-secret key", "sk-sécret"]) {
      const open = () => createChatEndpoint({ baseUrl: "http://127.0.0.1:1/v1", model: "toy", apiKey });
      expect(open).toThrow(/the key has spaces, line breaks/);
      expect(open).not.toThrow(/cret/);
    }
  });

  it.each([
    ["ftp://x/v1", /expected http/],
    ["nowhere", /no URL/],
    ["http://user:secret@127.0.0.1/v1", /no user, password or query/],
    ["http://127.0.0.1/v1?key=1", /no user, password or query/],
  ])("refuses the base URL %s", (baseUrl, message) => {
    expect(() => createChatEndpoint({ baseUrl, model: "toy" })).toThrow(message);
    try {
      createChatEndpoint({ baseUrl, model: "toy" });
    } catch (error) {
      expect((error as Error).message).not.toContain("secret");
    }
  });
});
