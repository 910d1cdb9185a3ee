'use strict';
/**
 * `node FLAGS compile.cjs BUNDLE CODE`, with `{"compile": […], "run": […]}` on stdin: keeps what V8 compiles of these
 * modules of a bundle, for programs that run with the same flags. Of modules that run, that is all that they do as they
 * are loaded; of others, what V8 compiles before it is called.
 */
const { mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const [, , directory, code] = process.argv;
const { Bundle } = require(join(directory, 'load.js'));
const bundle = new Bundle(code);
const { compile, run } = JSON.parse(readFileSync(0, 'utf8'));
for (const name of run) bundle.require(name);
for (const name of compile) if (!bundle.scripts.has(name)) bundle.compile(name);
const out = join(directory, 'code', code);
mkdirSync(out, { recursive: true });
for (const [name, script] of bundle.scripts) writeFileSync(join(out, name), script.createCachedData());
process.exit();
