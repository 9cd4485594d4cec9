/** The body of a request, as JSON. */
import type { IncomingMessage } from "node:http";
import { parseJsonText } from "../util/json-text";
import { ApiError } from "./api-error";
import type { Share } from "./held-bytes";

const tooLarge = (most: number): ApiError =>
  new ApiError(413, `the body is larger than ${most} bytes; send fewer or smaller images`, null, "body_too_large");

/**
 * Reads a body of at most `most` bytes.
 * @param share takes its bytes as they come; the caller releases it
 * @throws ApiError where it is larger, has no room, or is no JSON
 */
export async function readBody(request: IncomingMessage, most: number, share: Share): Promise<unknown> {
  const type = (request.headers["content-type"] ?? "").split(";")[0].trim().toLowerCase();
  // what a page of another site can send without asking first is never JSON by its name
  if (type !== "application/json")
    throw new ApiError(415, `content-type is ${JSON.stringify(type)}; expected application/json`);
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > most) throw tooLarge(most);
  share.check(declared); // said before it is sent; bytes that never come take no room
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > most) throw tooLarge(most);
    share.take(chunk.length);
    chunks.push(chunk);
  }
  try {
    return parseJsonText(Buffer.concat(chunks).toString("utf8"));
  } catch (error) {
    throw new ApiError(400, `the body is no JSON (${(error as Error).message.slice(0, 200)})`, null, "invalid_json");
  }
}
