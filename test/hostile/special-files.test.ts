/** Pipes that nobody writes to, devices that never end, links to both: said, not waited for. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { checkImageSet } from "../../lib/benchmark/photographs/check";
import { readRows } from "../../lib/eval/rows";
import { readMat } from "../../lib/formats/mat";
import { readSharegpt } from "../../lib/formats/sharegpt";
import { readStage2 } from "../../lib/formats/stage2";
import { loadConfig, loadModel } from "../../lib/model/checkpoint";
import { readHeader } from "../../lib/model/safetensors";
import { loadChatTemplate } from "../../lib/processor/chat-template";
import { decodeImage, readImageHeader } from "../../lib/processor/image-decode";
import { imageDataUri } from "../../lib/processor/image-uri";
import { loadProcessor } from "../../lib/processor/processor";
import { readJson, readJsonl } from "../../lib/util/files";
import { openRegular, readRegular, readStart } from "../../lib/util/regular-file";
import { temporaryFolder } from "../benchmark/photographs/trees";

const folder = temporaryFolder();
const pipe = path.join(folder, "pipe");
execFileSync("mkfifo", [pipe]);
const link = path.join(folder, "link");
symlinkSync("/dev/zero", link);

/** Each in a folder of its own, where the file that is read is a link to `to`. */
function folderWith(name: string, to: string): string {
  const of = path.join(folder, `${name}-${path.basename(to)}`);
  mkdirSync(of);
  symlinkSync(to, path.join(of, name));
  return of;
}

const readers: [string, (file: string) => unknown][] = [
  ["JSON", readJson],
  ["JSON Lines", readJsonl],
  ["predictions", readRows],
  ["sharegpt", readSharegpt],
  [".mat", readMat],
  ["parquet", (file) => readStage2(file)],
  ["safetensors", readHeader],
  ["an image", decodeImage],
  ["an image's header", readImageHeader],
  ["an image to send", (file) => imageDataUri(file)],
  ["config.json", (file) => loadConfig(folderWith("config.json", file))],
  ["tokenizer.json", (file) => loadProcessor(folderWith("tokenizer.json", file))],
  ["chat_template.jinja", (file) => loadChatTemplate(folderWith("chat_template.jinja", file))],
];

describe.each(readers)("%s", (_, read) => {
  it.each([
    ["a pipe", pipe, /it is a pipe, not a file; save what it holds as a file/],
    ["a device", "/dev/zero", /it is a device, not a file/],
    ["a link to a device", link, /it is a device, not a file/],
    ["a folder", folder, /it is a folder/],
  ])("refuses %s", async (__, file, message) => {
    await expect(async () => read(file)).rejects.toThrow(message);
  });
});

describe("a model whose weights are", () => {
  it.each([
    ["a device", "/dev/zero"],
    ["a pipe", pipe],
  ])("%s is refused by its file's name", (_, to) => {
    const model = path.join(folder, `model-${path.basename(to)}`);
    mkdirSync(model);
    copyFileSync(
      path.join(__dirname, "../fixtures/parity/fixture-tied/model/config.json"),
      path.join(model, "config.json"),
    );
    symlinkSync(to, path.join(model, "model.safetensors"));
    expect(() => loadModel(model)).toThrow(/model\.safetensors: cannot be read: it is a (device|pipe)/);
  });
});

describe("an image set with a pipe and a device among its images", () => {
  it("is reported, not waited for", async () => {
    const root = path.join(folder, "set");
    for (const name of ["fox", "wolf"]) {
      mkdirSync(path.join(root, name), { recursive: true });
      execFileSync("mkfifo", [path.join(root, name, "a.jpg"), path.join(root, name, "b.jpg")]);
    }
    const { status, unreadable } = await checkImageSet("set", root, { decode: true });
    expect(status).not.toBe("whole");
    expect(unreadable.map(({ path: image }) => image).sort()).toEqual([
      "fox/a.jpg",
      "fox/b.jpg",
      "wolf/a.jpg",
      "wolf/b.jpg",
    ]);
    expect(unreadable[0].reason).toMatch(/pipe/);
  });
});

describe("a file", () => {
  const file = path.join(folder, "plain.txt");
  writeFileSync(file, "0123456789");
  it("is read as before, links followed", () => {
    symlinkSync(file, path.join(folder, "to-plain"));
    expect(readRegular(path.join(folder, "to-plain")).toString()).toBe("0123456789");
    expect(readStart(file, 4).toString()).toBe("0123");
    expect(readStart(file, 40).toString()).toBe("0123456789");
    expect(() => openRegular(path.join(folder, "none"))).toThrow(/ENOENT/);
  });
});
