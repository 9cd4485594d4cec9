/** The .mat fixtures are scipy's (test/fixtures/sets/make.py); the values below are those given to it. */
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { parseMat, readMat } from "../../lib/formats/mat";

const fixture = (name: string): string => path.resolve(__dirname, "../fixtures/sets", name);

describe("MAT-files", () => {
  it("reads every kind of array that scipy writes", () => {
    const mat = readMat(fixture("kinds.mat"));
    expect(mat.get("doubles")).toEqual({ kind: "numeric", shape: [2, 2], data: [1.5, 3, -2, 4e9] }); // column-major
    expect(mat.get("bytes")).toMatchObject({ shape: [1, 2], data: [1, 255] });
    expect(mat.get("longs")).toMatchObject({ data: [-(2 ** 40)] });
    expect(mat.get("singles")).toMatchObject({ data: [0.5] });
    expect(mat.get("flag")).toMatchObject({ data: [1, 0] });
    expect(mat.get("word")).toMatchObject({ kind: "text", rows: ["Grüße"] });
    expect(mat.get("lines")).toMatchObject({ kind: "text", shape: [2, 3], rows: ["ab ", "cde"] });
    expect(mat.get("cells")).toMatchObject({ kind: "cell", shape: [1, 2], cells: [{ rows: ["x"] }, { data: [7] }] });
    expect(mat.get("nested")).toMatchObject({
      kind: "struct",
      records: [{ inner: { records: [{ value: { data: [3] } }] }, empty: { shape: [0, 0], data: [] } }],
    });
  });

  it("reads a big-endian file", () => {
    expect(readMat(fixture("big-endian.mat")).get("v")).toEqual({ kind: "numeric", shape: [1, 2], data: [1, -2] });
  });

  const good = readFileSync(fixture("cars_test_annos_withlabels.mat"));
  const kinds = readFileSync(fixture("kinds.mat"));
  const header = good.subarray(0, 128);
  const element = (type: number, bytes: Buffer): Buffer => {
    const tag = Buffer.alloc(8);
    tag.writeUInt32LE(type, 0);
    tag.writeUInt32LE(bytes.length, 4);
    return Buffer.concat([header, tag, bytes]);
  };
  it.each([
    ["cut in the header", good.subarray(0, 60), /x\.mat: shorter than/],
    ["cut in a variable", good.subarray(0, 500), /x\.mat: first variable: cut off/],
    ["cut in a compressed variable", kinds.subarray(0, kinds.length - 20), /x\.mat: variable after "cells": cut off/],
    [
      "HDF5",
      Buffer.concat([Buffer.from("MATLAB 7.3 MAT-file"), Buffer.alloc(200)]),
      /version 7\.3 \(HDF5\); save it as -v7/,
    ],
    ["another format", Buffer.alloc(300), /no endian mark/],
    ["complex numbers", readFileSync(fixture("sparse_complex.mat")), /a complex array/],
    ["no array", element(9, Buffer.alloc(8)), /an element of type 9 where an array belongs/],
    ["broken zlib", element(15, Buffer.from("not zlib")), /first variable: .*header/],
    ["a bomb", element(15, deflateSync(Buffer.alloc(2 ** 28 + 64))), /first variable: /],
  ])("refuses %s, by name", (_, bytes, message) => {
    expect(() => parseMat(bytes, "x.mat")).toThrow(message);
  });

  it("survives any single damaged byte: a value or an error that names the file, never a hang", () => {
    for (let at = 124; at < good.length; at += 3) {
      const damaged = Buffer.from(good);
      damaged[at] ^= 0xff;
      try {
        parseMat(damaged, "x.mat");
      } catch (error) {
        expect((error as Error).message).toMatch(/^x\.mat: /);
      }
    }
    expect(() => readMat("nowhere.mat")).toThrow("nowhere.mat: cannot be read: no such file or folder");
  });
});
