/** Images in data URLs. Nothing else is an image here: no address is fetched, and no path is opened. */
import { shownValue } from "../util/json-text";
import { badField } from "./api-error";

const TYPES: ReadonlySet<string> = new Set(["jpeg", "jpg", "png", "webp", "gif", "bmp"]);

/** The bytes of a `data:image/…;base64,…`. @param param where in the request it stands @throws ApiError */
export function dataUrlBytes(url: string, param: string): Uint8Array {
  const comma = url.indexOf(",");
  const head = /^data:image\/([\w.+-]+)(?:;[\w.-]+=[\w.-]+)*;base64$/i.exec(url.slice(0, Math.max(0, comma)));
  if (head === null)
    throw badField(
      param,
      `${shownValue(url, 60)} is no data URL of an image; expected data:image/png;base64,… (nothing is fetched from an address, and no file is opened)`,
      "invalid_image_url",
    );
  if (!TYPES.has(head[1].toLowerCase()))
    throw badField(param, `image/${head[1]} is not read; send JPEG, PNG, WebP, GIF or BMP`, "invalid_image_format");
  const base64 = url.slice(comma + 1);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw badField(param, "no base64 after the comma", "invalid_base64");
  return Buffer.from(base64, "base64");
}
