/** What `--ray` refuses before anything is sent or trained. */
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { capture, command } from "./capture";
import { temporaryRun } from "./runs";

const { name } = temporaryRun("ray");
const ablations = ["ablations", "--scale=smoke", `--run=${name}`, "--only=parts"];
let address = "";
const seen: string[] = [];
const server = http.createServer((request, response) => {
  seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? "-"}`);
  response.writeHead(401).end("Unauthorized");
});
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  vi.stubEnv("RAY_AUTH_TOKEN", "token-0123");
});
afterAll(() => {
  server.close();
  vi.unstubAllEnvs();
});

describe("--ray", () => {
  it.each([
    [
      [...ablations, "--ray=ray://head:10001"],
      /--ray is "ray:\/\/head:10001"; ray:\/\/ is the address of .* such as http/,
    ],
    [[...ablations, "--ray=head:8265"], /no http:\/\/ or https:\/\//],
    [[...ablations, "--ray=http://127.0.0.1:8265", "--ray-cpus=0"], /--ray-cpus is "0"; expected/],
    [[...ablations, "--ray-task=variant:nothing"], /no variant is called "nothing"/],
    [[...ablations, "--ray-task=everything"], /expected neighbours, sft-model/],
    [
      [
        "evaluate",
        "--setting=closed",
        "--endpoint=http://127.0.0.1:1",
        "--model-name=x",
        "--ray=http://127.0.0.1:8265",
      ],
      /--ray is for --model; an endpoint/,
    ],
    [
      ["cot", "--scale=smoke", `--run=${name}`, "--teacher=http://127.0.0.1:1", "--ray=http://127.0.0.1:8265"],
      /an endpoint answers several/,
    ],
    [[...ablations, "--ray-store=s3://bucket/x"], /--ray-store goes with --ray ADDRESS/],
    ...[
      "--ray-root=/mnt",
      "--ray-store-every=60",
      "--ray-cpus=1",
      "--ray-gpus=0",
      "--ray-retries=3",
      "--ray-wait=300",
    ].map((option): [string[], RegExp] => [
      [...ablations, option], // its default too: it was given
      new RegExp(`${option.split("=")[0]} goes with --ray ADDRESS`),
    ]),
    [["cot", "--scale=smoke", `--run=${name}`, "--ray-parts=2"], /--ray-parts goes with --ray ADDRESS/],
    [
      [...ablations, "--ray=http://127.0.0.1:8265", "--ray-store-every=9"],
      /--ray-store-every goes with --ray-store URL/,
    ],
    [[...ablations, "--ray=http://127.0.0.1:8265", "--list"], /--list runs nothing.*--ray/],
    [[...ablations, "--ray=http://127.0.0.1:8265", "--table"], /--table runs nothing.*--ray/],
    [["study", "--on=dev", "--ray=http://127.0.0.1:8265", "--table"], /--table runs nothing.*--ray/],
    [
      ["study", "--on=dev", "--ray=http://127.0.0.1:8265", "--part=links"],
      /--part links runs on this machine; --ray is/,
    ],
    [["study", "--on=dev", "--ray=http://127.0.0.1:8265", "--part=probes"], /--part probes runs on this machine/],
    [[...ablations, "--ray=http://127.0.0.1:8265", "--ray-store=/mnt/x"], /--ray-store: no protocol.*see fine-r1/s],
    [
      [
        "evaluate",
        "--setting=closed",
        "--scale=smoke",
        "--limit=2",
        "--out=/tmp/fine-r1-nowhere.jsonl",
        "--ray=http://127.0.0.1:8265",
        "--ray-store=file:///tmp/x",
      ],
      /--ray-store carries what is below data\/runs, and \/tmp\/fine-r1-nowhere.jsonl.parts is not/,
    ],
  ])("%j is refused", async ([word, ...args], message) => {
    const { code, out, err } = await capture(command(word), args);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(message);
  });

  it.each([
    [["--ray=http://127.0.0.1:8265", "--ray-store=s3://key:secret@bucket/x"], /--ray-store: it has a name or password/],
    [["--ray=http://key:secret@127.0.0.1:8265"], /--ray: it has a name or password .*RAY_AUTH_TOKEN/],
    [["--ray=key:secret@head:8265"], /--ray: no http/],
  ])("a password in a URL is refused, and not shown (%#)", async (words, message) => {
    const { code, err } = await capture(command("ablations"), [...ablations.slice(1), ...words]);
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/secret|key:/);
  });

  it("a cluster that refuses the token is left, and the token is not shown", async () => {
    const { code, err } = await capture(command("ablations"), [...ablations.slice(1), `--ray=${address}`]);
    expect(code).toBe(1);
    expect(err).toMatch(/Ray at http:\/\/127\.0\.0\.1:\d+: it refuses the token in RAY_AUTH_TOKEN/);
    expect(err).not.toContain("token-0123");
    expect(seen).toEqual(["GET /api/version Bearer token-0123"]);
  });
});
