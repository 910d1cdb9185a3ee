'use strict';
/**
 * `node FLAGS compile.cjs BUNDLE CODE`, with `{"compile": […], "run": […]}` on stdin: keeps what V8 compiles of these
 * modules of a bundle, for programs that run with the same flags: every function, so that none is compiled at its first call. What
 * is not called for long, V8 forgets again. Modules that run do so for what they make as they are loaded.
 */
const { mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const [, , directory, code] = process.argv;
const { Bundle } = require(join(directory, 'load.js'));
const bundle = new Bundle(code);
const { compile, run } = JSON.parse(readFileSync(0, 'utf8'));
require('node:v8').setFlagsFromString('--no-lazy');
for (const name of run) bundle.require(name);
for (const name of compile) if (!bundle.scripts.has(name)) bundle.compile(name);
require('node:v8').setFlagsFromString('--lazy');
const out = join(directory, 'code', code);
mkdirSync(out, { recursive: true });
for (const [name, script] of bundle.scripts) writeFileSync(join(out, name), script.createCachedData());
process.exit();
