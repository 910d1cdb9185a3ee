'use strict';
/**
 * Loads the programs of a bundle (../bundle.mjs), beside whose modules it lies: CommonJS that requires itself, Node's own
 * modules, and packages. What V8 compiled of a module when the bundle was made is not compiled again (compile.cjs). V8
 * refuses what another version of it made, or one with other flags: then it compiles, as it does where there is nothing.
 */
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const { Script } = require('node:vm');

/** Packages are found from the bundle's place. */
const outside = createRequire(__filename);
/** So are those that are no CommonJS, and other modules by their URL. */
const imported = (id) => import(id);

/** The modules of one program. */
class Bundle {
  /** What V8 knows of each module that was required, or only compiled, by its file's name. */
  scripts = new Map();
  #modules = new Map();
  #code;

  /** @param code the directory with what V8 compiled: one for each set of V8's flags */
  constructor(code) {
    this.#code = join(__dirname, 'code', code);
  }

  /** The exports of a module, which runs unless it has been required before. */
  require(name) {
    const known = this.#modules.get(name);
    if (known) return known.exports;
    const module = { exports: {} };
    this.#modules.set(name, module);
    const require = (id) => (id.startsWith('./') ? this.require(id.slice(2)) : outside(id));
    const run = this.compile(name).runInThisContext();
    run.call(module.exports, module.exports, require, module, join(__dirname, name), __dirname, imported);
    return module.exports;
  }

  compile(name) {
    const filename = join(__dirname, name);
    const script = new Script(
      `(function (exports, require, module, __filename, __dirname, imported) {${readFileSync(filename, 'latin1')}\n})`,
      { filename, cachedData: this.#compiled(name) },
    );
    this.scripts.set(name, script);
    return script;
  }

  /** A module's name has a digest of its contents: what is found was made of these. */
  #compiled(name) {
    try {
      return readFileSync(join(this.#code, name));
    } catch {
      return undefined;
    }
  }
}

module.exports = { Bundle };
