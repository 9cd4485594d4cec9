/**
 * Preloaded by `sanitize.mjs`: where code loads this project's addons it gets those that were built with sanitizers.
 * FINE_R1_SANITIZED is the folder that has them.
 */
const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");

const folder = process.env.FINE_R1_SANITIZED;
const load = Module._extensions[".node"];

Module._extensions[".node"] = (module, file) => {
  const sanitized = path.join(folder, path.basename(file));
  const isOurs = path.basename(path.dirname(path.dirname(file))) === ".setup" && fs.existsSync(sanitized);
  return load(module, isOurs ? sanitized : file);
};
