/** The address of a Ray cluster: that of its dashboard, which serves the Jobs REST API. */

/** Ray's own port for the dashboard. */
const PORT = "8265";
const EXAMPLE = `http://127.0.0.1:${PORT}`;

/** Whether a host is this machine. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);

/**
 * The base URL of a cluster, without a slash at its end.
 * @throws Error saying what was expected
 */
export function parseAddress(text: string): string {
  const refuse = (why: string): never => {
    throw new Error(`${why}; expected the address of Ray's dashboard, such as ${EXAMPLE}`);
  };
  if (/^ray:\/\//.test(text)) refuse("ray:// is the address of Ray's client protocol");
  if (!/^https?:\/\//.test(text)) refuse("no http:// or https:// at its beginning");
  if (!URL.canParse(text)) refuse("not a URL");
  const url = new URL(text);
  if (url.username !== "" || url.password !== "")
    refuse("it has a name or password in it (a token comes from RAY_AUTH_TOKEN)");
  if (url.search !== "" || url.hash !== "") refuse("it has a query or fragment");
  if (url.hostname === "0.0.0.0" || url.hostname === "[::]") refuse("that host is all interfaces, and not one to ask");
  if (url.port === "6379" || url.port === "10001") refuse(`port ${url.port} is not that of the dashboard`);
  // a proxy may serve the dashboard below a path or at a port of its own
  const isPlain = url.protocol === "http:" && url.port === "" && url.pathname === "/" && !/:80(\/|$)/.test(text);
  const host = isPlain ? `${url.hostname}:${PORT}` : url.host;
  return `${url.protocol}//${host}${url.pathname.replace(/\/+$/, "")}`;
}

/** Said where a token would go over a network as it is; null where all is well. */
export function tokenWarning(address: string, token: string | undefined): string | null {
  const { protocol, hostname } = new URL(address);
  if (token === undefined || protocol === "https:" || isLoopback(hostname)) return null;
  return `Ray: the token goes to ${hostname} unencrypted; over a network that others use, take an SSH tunnel to a port of this machine (docs/cluster.md)`;
}
