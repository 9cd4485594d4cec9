/** Applies a list of exact insertions to the text of files; refuses whatever it was not written for. */
import { createHash } from "node:crypto";

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

/** Throws unless `version` is the one the patch was written for. */
export function assertPatchVersion(patch, version) {
  if (version !== patch.version) {
    throw new Error(
      `${patch.package} ${version} is installed, but the patch was written for ${patch.version}: ` +
        `install that version, or renew tools/setup/tfjs-node-function.patch.mjs`,
    );
  }
}

/**
 * Returns the patched text of one file of a patch.
 *
 * @param {{path: string, sha256: string, insertions: {before: string, text: string}[]}} file
 * @param {string} source text of the file as published
 * @throws when the file was already patched or changed, or when an anchor does not occur exactly once
 */
export function applyPatch(file, source) {
  if (file.insertions.every(({ before, text }) => source.includes(text + before))) {
    throw new Error(`${file.path} is already patched: it must be patched once, from the published file`);
  }
  const found = sha256(source);
  if (found !== file.sha256) {
    throw new Error(
      `${file.path} is not the published file (sha256 ${found.slice(0, 12)}…, expected ${file.sha256.slice(0, 12)}…): ` +
        `remove node_modules and run the command again`,
    );
  }
  let patched = source;
  for (const { before, text } of file.insertions) {
    const count = patched.split(before).length - 1;
    if (count !== 1)
      throw new Error(`${file.path}: the anchor ${JSON.stringify(before)} occurs ${count} times, not once`);
    patched = patched.replace(before, () => text + before);
  }
  return patched;
}
