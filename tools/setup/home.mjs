/** A home folder for users without one: containers and service accounts run as nobody in particular. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/** The user's home where it is a folder that can be written, or null. */
function ownHome() {
  try {
    const home = os.homedir(); // throws for a user without a name and without HOME
    fs.accessSync(home, fs.constants.W_OK | fs.constants.X_OK);
    return home;
  } catch {
    return null;
  }
}

/**
 * The folder that npm, pip, uv and Jupyter are to take for the user's home: the user's own, or else one in the clone.
 *
 * @param {string} root the clone
 * @param {string | null} own replaced in tests
 */
export function homeFolder(root, own = ownHome()) {
  if (own !== null) return own;
  const folder = path.join(root, ".setup/home");
  fs.mkdirSync(folder, { recursive: true });
  return folder;
}
