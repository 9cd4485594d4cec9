/**
 * Ray's Jobs REST API: a job is a command on the head of the cluster. Over `node:http`, since Ray takes requests of
 * Node's `fetch` for a browser's and refuses them.
 */
import * as http from "node:http";
import * as https from "node:https";

const TIMEOUT_MS = 30_000;
/** An answer may be this long: the log of a job grows with it. */
const MAX_BYTES = 2 ** 28;

/** Where a job is. */
export type JobStatus = "PENDING" | "RUNNING" | "STOPPED" | "SUCCEEDED" | "FAILED";

/** The cluster does not answer, or not now: asking again may do. */
export class Unreachable extends Error {}

/** What a cluster can be asked. Every call throws an Error that names the address. */
export interface JobsApi {
  readonly address: string;
  /** Version of Ray. */
  version(): Promise<string>;
  /** Starts a command. @returns the job's id */
  submit(job: { entrypoint: string; metadata?: Record<string, string> }): Promise<string>;
  status(id: string): Promise<{ status: JobStatus; message: string }>;
  /** All that the command has printed. */
  logs(id: string): Promise<string>;
  stop(id: string): Promise<void>;
}

interface Answer {
  status: number;
  text: string;
}

function send(url: URL, method: string, { body, token }: { body?: string; token?: string }): Promise<Answer> {
  const { request } = url.protocol === "https:" ? https : http;
  const headers = {
    accept: "application/json",
    ...(body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, timeout: TIMEOUT_MS, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      let bytes = 0;
      response.on("data", (piece: Buffer) => {
        pieces.push(piece);
        if ((bytes += piece.length) > MAX_BYTES)
          response.destroy(new Error(`an answer of more than ${MAX_BYTES} bytes`));
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString("utf8") }),
      );
    });
    sent.on("timeout", () => sent.destroy(new Error(`no answer in ${TIMEOUT_MS / 1000} s`)));
    sent.on("error", reject);
    sent.end(body);
  });
}

function explain({ status, text }: Answer, hasToken: boolean): string {
  if (status === 401 || status === 403)
    return hasToken
      ? "it refuses the token in RAY_AUTH_TOKEN"
      : "it asks for a token: set RAY_AUTH_TOKEN to the one it was started with (`ray get-auth-token` prints it)";
  const shown = text.trim().split("\n").slice(-1)[0].slice(0, 300);
  return `it answers ${status}${shown === "" ? "" : `: ${shown}`}`;
}

/** @param token of a cluster that runs with RAY_AUTH_MODE=token */
export function createJobsApi(address: string, token?: string): JobsApi {
  const call = async (method: string, place: string, body?: unknown): Promise<Record<string, unknown>> => {
    let answer: Answer;
    try {
      const text = body === undefined ? undefined : JSON.stringify(body);
      answer = await send(new URL(`${address}${place}`), method, { body: text, token });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const why = code === "ECONNREFUSED" ? "nothing listens there; is Ray running?" : message || code;
      throw new Unreachable(`Ray at ${address}: ${why}`);
    }
    if (answer.status >= 500) throw new Unreachable(`Ray at ${address}: ${explain(answer, token !== undefined)}`);
    if (answer.status !== 200) throw new Error(`Ray at ${address}: ${explain(answer, token !== undefined)}`);
    try {
      const json = JSON.parse(answer.text) as unknown;
      if (typeof json === "object" && json !== null) return json as Record<string, unknown>;
    } catch {
      // said below
    }
    throw new Error(`Ray at ${address}: its answer is no JSON object; is it a Ray dashboard?`);
  };
  const text = (json: Record<string, unknown>, field: string): string => {
    const value = json[field];
    if (typeof value !== "string") throw new Error(`Ray at ${address}: no ${field} in its answer`);
    return value;
  };
  const job = (id: string): string => `/api/jobs/${encodeURIComponent(id)}`;
  return {
    address,
    version: async () => text(await call("GET", "/api/version"), "ray_version"),
    submit: async (request) => text(await call("POST", "/api/jobs/", request), "submission_id"),
    status: async (id) => {
      const json = await call("GET", job(id));
      return { status: text(json, "status") as JobStatus, message: String(json.message ?? "") };
    },
    logs: async (id) => text(await call("GET", `${job(id)}/logs`), "logs"),
    stop: async (id) => void (await call("POST", `${job(id)}/stop`)),
  };
}
