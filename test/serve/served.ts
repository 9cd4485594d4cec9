/** A server in this process on the fixture's model, with the official client. */
import * as path from "node:path";
import OpenAI from "openai";
import { afterAll } from "vitest";
import { disposeTree } from "../../lib/engine/tree";
import { loadModel, type LoadedModel } from "../../lib/model/checkpoint";
import { loadProcessor, type Processor } from "../../lib/processor/processor";
import { createCompletions, type Completions } from "../../lib/serve/completions";
import { DEFAULT_LIMITS, type Limits } from "../../lib/serve/limits";
import { startServer, type ChatServer } from "../../lib/serve/server";

export const fixture = path.join(__dirname, "../fixtures/parity/fixture-untied");
export const modelDir = path.join(fixture, "model");
export const imageFile = (name: "square" | "ragged" | "resized"): string => path.join(fixture, "images", `${name}.png`);

/** A running server and what it serves. */
export interface Served extends LoadedModel {
  processor: Processor;
  completions: Completions;
  server: ChatServer;
  client: OpenAI;
}

/** How it is started. */
export interface ServeSetup {
  slots?: number;
  limits?: Partial<Limits>;
  apiKey?: string;
}

export const clientOf = (baseURL: string, apiKey = "none"): OpenAI => new OpenAI({ baseURL, apiKey, maxRetries: 0 });

/** Starts a server; it ends with the tests of the file. */
export async function served({ slots = 4, limits = {}, apiKey }: ServeSetup = {}): Promise<Served> {
  const loaded = loadModel(modelDir);
  const processor = loadProcessor(modelDir);
  const all = { ...DEFAULT_LIMITS, ...limits };
  const completions = createCompletions({ name: "fixture", ...loaded, processor }, slots, all);
  const server = await startServer(completions, { port: 0, apiKey: apiKey ?? null, limits: all });
  let closed: Promise<void> | null = null;
  const close = (): Promise<void> => (closed ??= server.close());
  afterAll(async () => {
    await close();
    disposeTree(loaded.params);
  });
  return { ...loaded, processor, completions, server: { ...server, close }, client: clientOf(server.baseUrl, apiKey) };
}

/** A request's body sent as it is. */
export const post = (
  baseUrl: string,
  body: string,
  headers: Record<string, string> = { "content-type": "application/json" },
): Promise<Response> => fetch(`${baseUrl}/chat/completions`, { method: "POST", body, headers });
