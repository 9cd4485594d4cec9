/** Folder sets: super-categories, split files, what operating systems leave behind, names in Unicode. */
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { readFolders, setDescription, splitOf } from "../../../lib/benchmark/photographs";
import { temporaryFolder, writeTree } from "./trees";

const folder = temporaryFolder();
let count = 0;
const tree = (files: Record<string, string>): string => writeTree(path.join(folder, `set-${count++}`), files);
const empty = (...files: string[]): Record<string, string> => Object.fromEntries(files.map((file) => [file, ""]));

describe("super-categories", () => {
  it("SUPER/CLASS, whole or below train and test: names are the classes', domains the super-categories'", () => {
    const flat = readFolders(tree(empty("fruit/red_apple/1.jpg", "fruit/pear/1.jpg", "Kitchen_tool/fork/1.jpg")));
    expect(flat.names).toEqual(["fork", "pear", "red apple"]);
    expect([...flat.groups!].sort()).toEqual([
      ["fork", { domain: "Kitchen tool" }],
      ["pear", { domain: "fruit" }],
      ["red apple", { domain: "fruit" }],
    ]);
    const divided = readFolders(tree(empty("train/fruit/pear/1.jpg", "test/fruit/pear/2.jpg", "test/tool/fork/1.jpg")));
    expect(divided.images.map(({ path: at, name, portion }) => `${portion} ${at}: ${name}`)).toEqual([
      "test test/fruit/pear/2.jpg: pear",
      "test test/tool/fork/1.jpg: fork",
      "train train/fruit/pear/1.jpg: pear",
    ]);
    expect(divided.groups!.get("pear")).toEqual({ domain: "fruit" });
    expect(readFolders(tree(empty("pear/1.jpg")))).not.toHaveProperty("groups");
  });

  it.each<[string[], RegExp]>([
    [["wolf/1.jpg", "wolf/more/2.jpg"], /wolf: images beside folders \(more, …\); a class has images alone/],
    [["fruit/pear/1.jpg", "wolf/1.jpg"], /wolf: a class beside super-categories \(such as fruit\); put it into one/],
    [
      ["fruit/orange/1.jpg", "colour/orange/1.jpg"],
      /"orange" is in colour\/orange and in fruit\/orange; a class has one super-category/,
    ],
    [["train/fruit/orange/1.jpg", "test/colour/orange/1.jpg"], /"orange" is in test\/colour\/orange and in train/],
    [["fruit/pear/notes.txt"], /fruit\/pear: no image in this class/],
  ])("a tree of two minds is an error: %j", (files, message) => {
    const root = tree(empty(...files));
    expect(() => readFolders(root)).toThrow(message);
  });

  it("are asked about in their own words", () => {
    const { title, question, kind } = setDescription("mine");
    expect([title, question("mine"), kind("mine")]).toEqual(["mine", "What is this?", "object"]);
    expect([question("Kitchen tool"), kind("Fruit")]).toEqual(["What kind of kitchen tool is this?", "fruit"]);
  });
});

describe("split files", () => {
  const classes = empty("a_b/1.jpg", "c/1.jpg", "d/1.jpg");
  it.each<[Record<string, string>, string[]]>([
    [{ "seen.txt": "d\na_b\n" }, ["a b", "d"]],
    [{ "unseen.txt": "\ufeffc\r\n\r\n" }, ["a b", "d"]],
    [{ "seen.txt": "a b\n", "unseen.txt": "c\nd\n" }, ["a b"]],
    [{ "split.json": '{"seen": ["c", "a_b"]}' }, ["a b", "c"]],
    [{ "split.json": '{"unseen": ["c"], "seen": ["a b", "d"]}' }, ["a b", "d"]],
  ])("say what is seen, the rest is the other side: %j", (files, seen) => {
    const set = readFolders(tree({ ...classes, ...files }));
    expect(set.seen).toEqual(seen);
    expect(splitOf(set)).toMatchObject({ seen, source: "file" });
  });

  it.each<[Record<string, string>, RegExp]>([
    [{ "seen.txt": "c\nwolf\n" }, /seen\.txt, line 2: "wolf" is no class of the set/],
    [{ "seen.txt": "c\nd\nc\n" }, /seen\.txt, line 3: "c" a second time \(first: .*seen\.txt, line 1\)/],
    [{ "seen.txt": "c\n", "unseen.txt": "d\nc\n" }, /unseen\.txt, line 2: "c" a second time/],
    [{ "seen.txt": "c\n", "unseen.txt": "d\n" }, /has the class "a b" on neither side/],
    [{ "seen.txt": "\n" }, /no class is seen/],
    [{ "seen.txt": "c\n", "split.json": "{}" }, /split\.json and seen\.txt both say/],
    [{ "split.json": "{seen" }, /split\.json: not JSON/],
    [{ "split.json": "[]" }, /split\.json: \{"seen": \[names\]/],
    [{ "split.json": "{}" }, /one of the two at least/],
    [{ "split.json": '{"seen": ["c"], "test": []}' }, /split\.json: \{"seen"/],
    [{ "split.json": '{"seen": "c"}' }, /"seen" is no list/],
    [{ "split.json": '{"seen": ["c", 3]}' }, /"seen", element 2: 3; a name expected/],
    [{ "split.json": '{"seen": ["x"]}' }, /"seen", element 1: "x" is no class/],
  ])("are refused by file and line: %j", (files, message) => {
    const root = tree({ ...classes, ...files });
    expect(() => readFolders(root)).toThrow(message);
  });
});

describe("names and clutter", () => {
  it("what systems and archives leave behind is no class and no image; .bmp is one", () => {
    const clutter = ["__MACOSX/a/1.jpg", ".git/x/1.jpg", "a/._1.jpg", "a/Thumbs.db", "a/.DS_Store", "a/__MACOSX/1.jpg"];
    const set = readFolders(tree(empty("a/1.bmp", "b/2.jpg", "train.csv", ...clutter)));
    expect(set.images.map((image) => image.path)).toEqual(["a/1.bmp", "b/2.jpg"]);
    const divided = readFolders(tree(empty("train/a/1.jpg", "test/a/2.jpg", "__MACOSX/train/a/1.jpg")));
    expect(divided.images.map(({ portion }) => portion)).toEqual(["test", "train"]);
  });

  it("names are composed, paths are as on disk: a decomposed folder is the same class", () => {
    const [composed, decomposed] = ["Löwenzahn".normalize("NFC"), "Löwenzahn".normalize("NFD")];
    expect(composed).not.toBe(decomposed);
    const set = readFolders(
      tree({ ...empty(`train/${decomposed}/1.jpg`, `test/${composed}/2.jpg`, "test/b/1.jpg"), "seen.txt": decomposed }),
    );
    expect([set.names, set.seen]).toEqual([[composed, "b"], [composed]]);
    expect(set.images.map((image) => image.path)).toContain(`train/${decomposed}/1.jpg`);
  });

  it("a folder that is called as a published set is not taken for it", () => {
    const root = writeTree(path.join(folder, "pet"), empty("cat/1.jpg", "dog/1.jpg"));
    expect(readFolders(root).name).toBe("pet-folder");
    expect(splitOf(readFolders(root)).source).toBe("seeded");
  });
});
