/** The URL of a store that fsspec knows: a folder of a bucket, or of a disk. */

const EXAMPLE = "s3://bucket/folder, gs://bucket/folder or file:///mnt/folder";
/** What fsspec knows and is none: of one process, read alone, or one URL within another. */
const REFUSED: Readonly<Record<string, string>> = {
  memory: "memory:// is of one process",
  http: "http:// is read alone",
  https: "https:// is read alone",
  data: "data: is read alone",
  local: "write file://",
};

/**
 * The URL without a slash at its end. Messages say nothing of what stands in it: it may be a key.
 * @throws Error saying what was expected
 */
export function parseStoreUrl(text: string): string {
  const refuse = (why: string): never => {
    throw new Error(`${why}; expected a folder that all nodes and this machine can write to, such as ${EXAMPLE}`);
  };
  const [, protocol, place] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/s.exec(text) ?? refuse("no protocol:// at its beginning");
  if (Object.hasOwn(REFUSED, protocol)) refuse(REFUSED[protocol]);
  if (/^[^/]*@/.test(place))
    refuse("it has a name or password in it (backends read them from the environment, as AWS_ACCESS_KEY_ID)");
  if (/[?#]/.test(place)) refuse("it has a query or fragment");
  if (place.includes("::")) refuse("it is a chain of URLs");
  if (/[\x00-\x20\x7f*\\]/.test(place)) refuse("it has a space, *, backslash or control character");
  const folder = place.replace(/\/+$/, "");
  if (folder === "" || folder.split("/").some((part) => part === ".." || part === ".")) refuse("it names no folder");
  if (protocol === "file" && !folder.startsWith("/")) refuse("file:// needs an absolute path, so three slashes");
  return `${protocol}://${folder}`;
}
