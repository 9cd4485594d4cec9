/** Sections of requirements.lock, which `tools/supply/lock.ts` writes. */

/**
 * The requirements of a section with their hashes, as pip and uv read them.
 *
 * @param {string} lock text of requirements.lock
 * @param {string} name such as `always`, `cpu` or `uv`
 * @throws where there is no such section, or a requirement in it has no hash
 */
export function sectionOf(lock, name) {
  const section = lock.split(/^# \[(\w+)\]$/m);
  const place = section.findIndex((part, i) => i % 2 === 1 && part === name);
  const text = place < 0 ? "" : section[place + 1].trim();
  if (text === "") throw new Error(`requirements.lock: no section [${name}]; npm run supply -- lock`);
  for (const requirement of text.split(/\n(?=\S)/))
    if (!/^[\w.-]+==\S+.*\\\n +--hash=sha256:[0-9a-f]{64}/.test(requirement))
      throw new Error(`requirements.lock, section [${name}]: ${requirement.split(" ")[0]} has no version or no hash`);
  return text;
}
