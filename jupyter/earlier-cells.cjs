/** The variables of the cells that have run, as later cells see them: one accessor for each name. */
"use strict";

const UNSET = Symbol("unset");

/** A binding's value, or UNSET before its line has run. */
function read([get, , hoisted]) {
  try {
    const value = get();
    return hoisted && value === undefined ? UNSET : value;
  } catch (error) {
    if (error instanceof ReferenceError) return UNSET;
    throw error;
  }
}

class EarlierCells {
  constructor() {
    /** Handed to every cell as `__earlier__`. */
    this.variables = Object.create(null);
  }

  /**
   * Takes the bindings of a cell that begins. Until a name's own line has run, what an earlier cell declared under it
   * holds: a function of an earlier cell that reads it goes on working.
   *
   * @param bindings { name: [read, write or null, is hoisted] }
   * @returns a function to call when the cell has ended; it keeps what was set and gives those names
   */
  declare(bindings) {
    const before = new Map();
    for (const [name, binding] of Object.entries(bindings)) {
      const old = Object.getOwnPropertyDescriptor(this.variables, name);
      before.set(name, old);
      this.define(name, {
        get: () => {
          const value = read(binding);
          return value === UNSET && old ? old.get() : binding[0]();
        },
        set: (value) => (old && read(binding) === UNSET ? old.set(value) : binding[1](value)),
      });
    }
    return () => {
      const kept = new Set();
      for (const [name, binding] of Object.entries(bindings)) {
        const old = before.get(name);
        if (read(binding) !== UNSET) {
          kept.add(name);
          this.define(name, { get: binding[0], set: binding[1] ?? undefined });
        } else if (old) this.define(name, old);
        else delete this.variables[name];
      }
      return kept;
    };
  }

  define(name, { get, set }) {
    Object.defineProperty(this.variables, name, { get, set, enumerable: true, configurable: true });
  }
}

module.exports = { EarlierCells };
