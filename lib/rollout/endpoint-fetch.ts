/**
 * Node's `fetch` as endpoints need it: no limit of its own below the caller's, an end to bodies of any size, and word
 * of where a request was sent on to.
 */

/** Where Node keeps the connections of its `fetch`, whose class is to be had nowhere else. */
const CONNECTIONS = Symbol.for("undici.globalDispatcher.1");
/** Node gives up waiting for an answer's beginning, or its next bytes, after this. */
const OWN_LIMIT_MS = 300_000;
const MARGIN_MS = 60_000;
/** A hundred thousand tokens are below 1 MB, a megabyte for each of 64 answers is far more than any server gives. */
const LARGEST_BODY = 64 * 2 ** 20;

type Connections = new (limits: { headersTimeout: number; bodyTimeout: number }) => object;

/** Whether a host name is this machine's own. */
export const isLoopback = (host: string): boolean => /^(?:(?:.+\.)?localhost|127(?:\.\d+){3}|\[::1\])$/.test(host);

/**
 * The connections that a request takes: Node's own, or where `NODE_USE_ENV_PROXY` has put a proxy before them, for this
 * machine those that it keeps for hosts without one. Null where they are somebody else's.
 */
function ownConnections(local: boolean): object | null {
  const all = (globalThis as Record<symbol, unknown>)[CONNECTIONS] as Record<symbol, object> | undefined;
  if (all === undefined || all.constructor.name === "Agent") return all ?? null;
  const direct = Object.getOwnPropertySymbols(all).find((key) => key.description === "no proxy agent");
  return local && direct !== undefined ? all[direct] : null;
}

/**
 * Connections that wait `timeoutMs` and longer, and that lead to this machine itself where the host is `local`; null
 * where the ones there are do both, or are somebody else's.
 */
async function connectionsFor(timeoutMs: number, local: boolean): Promise<object | null> {
  const limit = timeoutMs + MARGIN_MS;
  await fetch("data:,"); // they are made with the first request
  const own = ownConnections(local);
  if (own?.constructor.name !== "Agent") return null;
  if (limit < OWN_LIMIT_MS) return own;
  return new (own.constructor as Connections)({ headersTimeout: limit, bodyTimeout: limit });
}

/** A response whose body is an error as soon as it is larger than `limit` bytes, unpacked. */
function limited(response: Response, limit: number): Response {
  const { body, status, statusText, headers } = response;
  if (body === null) return response;
  let bytes = 0;
  const counted = body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        bytes += chunk.byteLength;
        if (bytes > limit) throw new Error(`the body is larger than ${limit / 2 ** 20} MiB (is the base URL right?)`);
        controller.enqueue(chunk);
      },
    }),
  );
  return new Response(counted, { status, statusText, headers });
}

/**
 * A `fetch` of one host that leaves the deadline to its caller. This machine is asked directly, whatever proxy there
 * is. Reading a body of more than 64 MiB is an error.
 * @param timeoutMs the caller's deadline
 * @param onRedirect hears where a request ended that was sent on to another host; a key is not shown to it
 */
export function endpointFetch(timeoutMs: number, onRedirect: (to: string) => void): typeof fetch {
  let connections: Promise<object | null> | null = null;
  return async (input, init) => {
    const asked = new URL(input instanceof Request ? input.url : input);
    const dispatcher = await (connections ??= connectionsFor(timeoutMs, isLoopback(asked.hostname)));
    const response = await fetch(input, dispatcher === null ? init : ({ ...init, dispatcher } as RequestInit));
    if (response.redirected) {
      const { origin, pathname } = new URL(response.url);
      if (origin !== asked.origin) onRedirect(`${origin}${pathname}`);
    }
    return limited(response, LARGEST_BODY);
  };
}
