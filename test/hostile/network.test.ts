/** Nothing is fetched at run time but from the endpoint that was named: every way out is watched. */
import dns from "node:dns";
import { copyFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import * as path from "node:path";
import dgram from "node:dgram";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { capture, command } from "../cli/capture";
import { chatServer } from "../helpers/chat-server";

const evaluate = command("evaluate");
const folder = temporaryFolder();
const fixture = path.join(__dirname, "../fixtures/parity/fixture-tied");
const questions = path.join(folder, "foxes_seen.jsonl");

/** Where something wanted to go. */
const wanted: string[] = [];
let allowed: string | null = null;

beforeAll(() => {
  const row = { image_path: "a.png", question: "What?", options: ["fox", "wolf"], ground_truth: "fox" };
  writeFileSync(questions, `${JSON.stringify(row)}\n`);
  copyFileSync(path.join(fixture, "images/square.png"), path.join(folder, "a.png"));
  const connect = net.Socket.prototype.connect as (...args: unknown[]) => net.Socket;
  // all of TCP goes through here: http, https, fetch
  vi.spyOn(net.Socket.prototype, "connect").mockImplementation(function (this: net.Socket, ...args: unknown[]) {
    const [first] = (Array.isArray(args[0]) ? args[0] : args) as [
      { host?: string; port?: number; path?: string } | null,
    ];
    const to = `${first?.host ?? first?.path ?? "?"}:${first?.port ?? ""}`;
    if (to === allowed) return connect.apply(this, args);
    wanted.push(to);
    throw new Error(`no way out to ${to}`);
  });
  const lookup = dns.lookup as (...args: unknown[]) => void;
  vi.spyOn(dns, "lookup").mockImplementation(((host: string, ...more: unknown[]) => {
    if (net.isIP(host) !== 0) return lookup(host, ...more); // a number is no name
    wanted.push(host);
    throw new Error(`no name is looked up: ${host}`);
  }) as never);
  vi.spyOn(dgram, "createSocket").mockImplementation((() => {
    wanted.push("udp");
    throw new Error("no datagrams");
  }) as never);
});
afterAll(() => vi.restoreAllMocks());

const on = (out: string, ...who: string[]): string[] => [
  ...["--benchmark", questions, "--setting", "closed", "--out", path.join(folder, out), "--max-new-tokens", "4"],
  ...who,
];

describe("an evaluation", () => {
  it("the watch sees a way out", async () => {
    await expect(fetch("http://127.0.0.1:8999/")).rejects.toThrow();
    expect(wanted).toEqual(["127.0.0.1:8999"]);
    wanted.length = 0;
  });

  it("of a model asks nobody", async () => {
    const { code, err } = await capture(evaluate, on("model.jsonl", "--model", path.join(fixture, "model")));
    expect([code, wanted], err).toEqual([0, []]);
  });

  it("of an endpoint asks it alone", async () => {
    const server = await chatServer(() => ({ texts: ["<answer>fox</answer>"] }));
    allowed = new URL(server.baseUrl).host;
    try {
      const who = ["--endpoint", server.baseUrl, "--model-name", "served"];
      const { code, err } = await capture(evaluate, on("endpoint.jsonl", ...who));
      expect([code, wanted], err).toEqual([0, []]);
      expect(server.requests.length).toBeGreaterThan(0);
    } finally {
      await server.close();
    }
  });
});
