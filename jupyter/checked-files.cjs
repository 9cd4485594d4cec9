/**
 * What was found free of type errors, over kernel starts: checking lib/ takes many seconds, and its files seldom change
 * between two of them. Kept in `.setup/kernel-checked.json`, which may be deleted at any time.
 */
"use strict";
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

/** Sets of files that are remembered: notebooks import different parts. */
const REMEMBERED = 30;

const isInstalled = (fileName) => fileName.includes("/node_modules/");

class CheckedFiles {
  /** @param root the repository; its package-lock.json stands for all that is installed */
  constructor(root, version) {
    this.file = path.join(root, ".setup/kernel-checked.json");
    this.lock = path.join(root, "package-lock.json");
    this.version = version;
  }

  /**
   * One name for everything that the result of a check depends on: the files' texts, the compiler, its options,
   * packages.
   */
  key(program, files, isCell) {
    const hash = createHash("sha256").update(JSON.stringify([this.version, program.getCompilerOptions()]));
    if (fs.existsSync(this.lock)) hash.update(fs.readFileSync(this.lock));
    for (const file of files) hash.update(`\0${file.fileName}`);
    for (const file of program.getSourceFiles())
      if (!isCell(file.fileName) && !isInstalled(file.fileName)) hash.update(`\0${file.fileName}\0${file.text}`);
    return hash.digest("hex");
  }

  /** Whatever stands in the file: what is no list of keys counts as none. */
  read() {
    try {
      const keys = JSON.parse(fs.readFileSync(this.file, "utf8"));
      return Array.isArray(keys) ? keys.filter((key) => typeof key === "string") : [];
    } catch {
      return [];
    }
  }

  has(key) {
    return this.read().includes(key);
  }

  /** Adds a key; a folder that cannot be written to only means that the next kernel checks again. */
  add(key) {
    const temporary = `${this.file}.${process.pid}.tmp`;
    try {
      fs.mkdirSync(path.dirname(this.file), { recursive: true });
      fs.writeFileSync(temporary, JSON.stringify([key, ...this.read()].slice(0, REMEMBERED)));
      fs.renameSync(temporary, this.file);
    } catch {
      fs.rmSync(temporary, { force: true });
    }
  }
}

module.exports = { CheckedFiles };
