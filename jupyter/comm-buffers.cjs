/** Bytes in the state of a widget: they travel beside a message as buffers, and the message says where they belong. */
"use strict";

const isBytes = (value) => ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
const isContainer = (value) => typeof value === "object" && value !== null && !isBytes(value);
const bytesOf = (value) =>
  value instanceof ArrayBuffer ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength);

/** A copy without its bytes (null in a list, absent in an object), where they were, and the bytes. */
function takeBuffers(value) {
  const [paths, buffers] = [[], []];
  const copy = (one, path) => {
    if (!isContainer(one)) return one;
    const take = (inner, key) => {
      if (!isBytes(inner)) return true;
      paths.push([...path, key]);
      buffers.push(bytesOf(inner));
      return false;
    };
    if (Array.isArray(one)) return one.map((inner, i) => (take(inner, i) ? copy(inner, [...path, i]) : null));
    const kept = Object.entries(one).filter(([key, inner]) => take(inner, key));
    return Object.fromEntries(kept.map(([key, inner]) => [key, copy(inner, [...path, key])]));
  };
  return { value: copy(value, []), paths, buffers };
}

const isPlace = (target, key) =>
  Array.isArray(target) ? Number.isInteger(key) && key >= 0 && key < target.length : typeof key === "string";

const ownValue = (container, key) => (isContainer(container) && Object.hasOwn(container, key) ? container[key] : null);

/** Puts bytes back to where `paths` says. @returns what is wrong, or undefined */
function putBuffers(value, paths, buffers) {
  if (!Array.isArray(paths) || paths.length !== buffers.length)
    return `${buffers.length} buffers and ${Array.isArray(paths) ? paths.length : "no"} places for them`;
  for (const [i, path] of paths.entries()) {
    if (!Array.isArray(path) || path.length === 0) return "a buffer's place is no path";
    const key = path.at(-1);
    const target = path.slice(0, -1).reduce(ownValue, value);
    if (!isContainer(target) || !isPlace(target, key)) return `there is no place ${JSON.stringify(path)} for a buffer`;
    // defined, not assigned: `__proto__` is a name like any other
    Object.defineProperty(target, key, { value: buffers[i], enumerable: true, writable: true, configurable: true });
  }
  return undefined;
}

module.exports = { putBuffers, takeBuffers };
