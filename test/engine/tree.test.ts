import { describe, expect, it } from "vitest";
import { tf } from "../../lib/engine/tensorflow";
import { disposeTree, flatten, mapParams } from "../../lib/engine/tree";

describe("flatten", () => {
  it("lists the tensors in order and puts a tree together again", () => {
    const [a, b, c] = [tf.scalar(1), tf.scalar(2), tf.scalar(3)];
    const tree = { x: a, list: [b, null, "s", 4], deep: { y: c, flag: true, none: undefined } };
    const flat = flatten(tree);
    expect(flat.leaves).toEqual([a, b, c]);
    expect(flat.rebuild([c, a, b])).toEqual({
      x: c,
      list: [a, null, "s", 4],
      deep: { y: b, flag: true, none: undefined },
    });
    expect(() => flat.rebuild([a])).toThrow("1 tensors for a tree of 3");
    disposeTree(tree);
    expect([a, b, c].every((t) => t.isDisposed)).toBe(true);
  });

  it("has equal keys for equal structures only", () => {
    const t = tf.scalar(0);
    const key = (tree: unknown): string => flatten(tree).key;
    expect(key({ a: t, b: 1 })).toBe(key({ a: t, b: 1 }));
    const different = [
      { a: t, b: 1 },
      { a: t, b: 2 },
      { a: t, b: "1" },
      { a: t, c: 1 },
      { a: t, b: t },
      { a: [t], b: 1 },
      { b: 1, a: t },
      { a: t, b: null },
      { a: t, b: undefined },
      { a: t, b: "undefined" },
      { a: t },
      [t, 1],
      [[t], 1],
      [12, t],
      [1, 2, t],
    ];
    expect(new Set(different.map(key)).size).toBe(different.length);
    t.dispose();
  });

  it("names the path of what it can't hold", () => {
    expect(() => flatten({ a: [1, { f: () => 1 }] })).toThrow(".a[1].f is function");
    expect(() => flatten([new Float32Array(2)])).toThrow("[0] is Float32Array");
    expect(() => flatten({ m: new Map() })).toThrow(".m is Map");
  });
});

it("mapParams keeps names", () => {
  const params = { p: tf.scalar(2), q: tf.scalar(3) };
  const doubled = mapParams(params, (t, name) => tf.mul(t, name === "p" ? 2 : 10));
  expect([Object.keys(doubled), doubled.p.dataSync()[0], doubled.q.dataSync()[0]]).toEqual([["p", "q"], 4, 30]);
  disposeTree(params, doubled);
});
