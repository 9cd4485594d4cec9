/**
 * Node's `fetch` as endpoints need it: no limit of its own below the caller's, an end to bodies that have none, and
 * word of where a request was sent on to.
 */

/** Where Node keeps the connections of its `fetch`, whose class is to be had nowhere else. */
const CONNECTIONS = Symbol.for("undici.globalDispatcher.1");
/** Node gives up waiting for an answer's beginning, or its next bytes, after this. */
const OWN_LIMIT_MS = 300_000;
const MARGIN_MS = 60_000;

/** Longest body, bytes after decompression: hundreds of the longest answers. */
const LONGEST_BODY = 2 ** 26;

/** The response, whose body ends in an error after `LONGEST_BODY` bytes: memory is not a server's to fill. */
function withinLimit(response: Response): Response {
  if (response.body === null) return response;
  let bytes = 0;
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, controller) => {
      bytes += chunk.length;
      if (bytes <= LONGEST_BODY) controller.enqueue(chunk);
      else
        controller.error(new Error(`the answer is longer than ${LONGEST_BODY / 2 ** 20} MiB; is the base URL right?`));
    },
  });
  const { status, statusText, headers } = response;
  return new Response(response.body.pipeThrough(counted), { status, statusText, headers });
}

type Connections = new (limits: { headersTimeout: number; bodyTimeout: number }) => object;

/**
 * Connections that wait `timeoutMs` and longer; null where Node's own do, or where they are somebody else's (a
 * proxy's).
 */
async function patientConnections(timeoutMs: number): Promise<object | null> {
  const limit = timeoutMs + MARGIN_MS;
  if (limit < OWN_LIMIT_MS) return null;
  await fetch("data:,"); // they are made with the first request
  const own = (globalThis as Record<symbol, unknown>)[CONNECTIONS] as object | undefined;
  if (own?.constructor.name !== "Agent") return null;
  return new (own.constructor as Connections)({ headersTimeout: limit, bodyTimeout: limit });
}

/**
 * A `fetch` that leaves the deadline to its caller.
 * @param timeoutMs the caller's deadline
 * @param onRedirect hears where a request ended that was sent on to another host; a key is not shown to it
 */
export function endpointFetch(timeoutMs: number, onRedirect: (to: string) => void): typeof fetch {
  let connections: Promise<object | null> | null = null;
  return async (input, init) => {
    const dispatcher = await (connections ??= patientConnections(timeoutMs));
    const response = await fetch(input, dispatcher === null ? init : ({ ...init, dispatcher } as RequestInit));
    if (response.redirected) {
      const asked = new URL(input instanceof Request ? input.url : input);
      const { origin, pathname } = new URL(response.url);
      if (origin !== asked.origin) onRedirect(`${origin}${pathname}`);
    }
    return withinLimit(response);
  };
}
