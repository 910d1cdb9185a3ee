import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { busyboxTar } from '../support/busybox.js';
import { commandsOf, shown, substitute } from '../support/documents.js';
import { type Engine, startEngine } from '../support/engine.js';
import { Program } from '../support/program.js';
import { runShell } from '../support/shell.js';
import { programsBeside } from '../support/shown-programs.js';
import { StockDockerd, stockDockerdInstalled } from '../support/stock-dockerd.js';

/** Plugins in languages for which there is no kit. */
let engine: Engine;
const { run, socketOf } = programsBeside(() => engine);
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine[Symbol.asyncDispose]());

const otherLanguages = [
  {
    file: 'shelf.py',
    text: shown('docs/guide/other-languages.md', '#!/usr/bin/env python3'),
    use: shown('docs/guide/other-languages.md', 'python3 shelf.py'),
  },
  {
    file: 'shelf.sh',
    text: shown('docs/guide/other-languages.md', '#!/bin/sh'),
    use: shown('docs/guide/other-languages.md', 'sh shelf.sh'),
  },
];

test.each(otherLanguages)(
  'In other languages: $file serves this engine and dockerd',
  async ({ file, text, use }) => {
    const directory = join(engine.directory, 'other-languages');
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, file), text);
    const socket = socketOf('shelf');
    const own = { [file]: join(directory, file), '/run/docker/plugins/shelf.sock': socket, '/srv/': `${directory}/` };
    const [start = '', ...more] = commandsOf(substitute(use, own)).map((each) =>
      each.replaceAll('/run/verified.sock', join(directory, 'verified.sock')),
    );
    const [program = '', ...args] = start.replace(/ &$/, '').split(' ');
    await using plugin = new Program(program, args);
    await plugin.made(socket);
    const lines = more.filter((command) => command.startsWith('docker '));
    const verifying = more.filter((command) => !command.startsWith('docker '));
    expect(await run(lines.join('\n'))).toMatch(/^hello\r?$/m);
    // Each waits for its plugin most of the time: all at once.
    const verdicts = verifying.map((command) => runShell(command, engine.directory, {}, 110_000));
    for (const printed of await Promise.all(verdicts)) expect(printed).toContain('It is what engines expect.');
    if (!stockDockerdInstalled) return;
    await using stock = await StockDockerd.start([], engine.pluginDirectory);
    await engine.dockerAt(stock.host, 'import', '-', 'busybox', { input: await busyboxTar() });
    expect(await run(lines.join('\n'), { DOCKER_HOST: stock.host })).toMatch(/^hello\r?$/m);
  },
  600_000,
);
