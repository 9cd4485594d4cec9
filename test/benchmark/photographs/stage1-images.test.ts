import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { stage1Images } from "../../../lib/benchmark/photographs/stage1-images";
import { temporaryFolder, trees, writeTree } from "./trees";

const folder = temporaryFolder();

describe("images of Stage-1 records", () => {
  const root = writeTree(folder, { "mine/a.png": "", "oxford-pet-train/train/Abyssinian_1.jpg": "" });
  writeTree(path.join(root, "pet"), { ...trees.pet, "images/Abyssinian_100.jpg": "" });
  writeTree(path.join(root, "bird"), { ...trees.bird, "images/002.Laysan_Albatross/Laysan_1.jpg": "" });
  const find = stage1Images(root);
  const at = (relative: string): string => path.join(root, relative);

  it("are where the record says, or in their set's training portion by file name", () => {
    expect(find("mine/a.png")).toEqual({ file: at("mine/a.png") });
    expect(find("oxford-pet-train/train/Abyssinian_1.jpg")).toEqual({
      file: at("oxford-pet-train/train/Abyssinian_1.jpg"),
    });
    expect(find("oxford-pet-train/train/Abyssinian_100.jpg")).toEqual({ file: at("pet/images/Abyssinian_100.jpg") });
    expect(find("bird_200/images_train/002.Laysan_Albatross/Laysan_1.jpg")).toEqual({
      file: at("bird/images/002.Laysan_Albatross/Laysan_1.jpg"),
    });
  });

  it("are found whichever way a Mac or another system writes their letters", () => {
    const decomposed = "Cafe\u0301 Finch";
    writeTree(root, { [`mine/${decomposed}/1.jpg`]: "" });
    for (const name of [decomposed, decomposed.normalize("NFC")])
      expect(find(`mine/${name}/1.jpg`)).toEqual({ file: at(`mine/${decomposed}/1.jpg`) });
  });

  it("that are missing are named with the reason, and a test image is never one", () => {
    const reason = (image: string): string => (find(image) as { reason: string }).reason;
    expect(reason("mine/b.png")).toMatch(/mine\/b\.png is not in .*; a path begins in that folder/);
    expect(reason("dogs_120/image_train/train/n02085620-Chihuahua/n02085620_1.jpg")).toMatch(
      /nor is the set dog; `data check dog`/,
    );
    expect(reason("oxford-pet-train/train/Abyssinian_101.jpg")).toBe(
      "Abyssinian_101.jpg is a test image of the set pet",
    );
    expect(reason("oxford-pet-train/train/Abyssinian_999.jpg")).toBe("Abyssinian_999.jpg is no image of the set pet");
    expect(reason("oxford-pet-train/train/american_bulldog_1.jpg")).toMatch(/american_bulldog_1\.jpg is missing$/);
    expect(() => find("../outside.png")).toThrow(/no path below/);
  });
});
