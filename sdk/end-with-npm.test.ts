import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

let directory: string;
let npm: ChildProcess | undefined;
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-npm-');
});
afterEach(() => {
  try {
    if (npm?.pid) process.kill(-npm.pid, 'SIGKILL');
  } catch {
    // All of them have ended.
  }
  rmSync(directory, { recursive: true });
});

/**
 * Starts what does as `npm start` of a scaffold: a shell of it builds, here until a line comes on `build`, and then
 * becomes the plugin. `out` ends when all of them have ended.
 */
async function start() {
  const sdk = pathToFileURL(join(import.meta.dirname, 'dist/index.js')).href;
  const main = join(directory, 'main.mjs');
  writeFileSync(
    main,
    `import { defineExtension, run } from '${sdk}';
    await run(defineExtension({ start: () => ({ implementations: [] }) }), { name: 'x' });`,
  );
  const plugin = `exec ${process.execPath} ${main} --socket ${directory}/x.sock`;
  // In a session of their own, as on a terminal.
  npm = spawn('sh', ['-c', `(echo building >&2; read line <&3; ${plugin}) & wait`], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: { ...process.env, npm_lifecycle_event: 'start' },
  });
  const said: string[] = [];
  const out = npm.stderr as Readable;
  const ended = new Promise((resolve) => out.once('end', resolve));
  out.setEncoding('utf8').on('data', (data: string) => said.push(data));
  const says = async (text: string) => {
    while (!said.join('').includes(text)) await once(out, 'data');
  };
  await says('building');
  return { build: npm.stdio[3] as Writable, says, ended };
}

test('a plugin whose npm was killed while it built ends', async () => {
  const { build, says, ended } = await start();
  npm?.kill('SIGKILL');
  await once(npm as ChildProcess, 'exit');
  build.end('built\n');
  await says('x is ready');
  await ended;
  expect(existsSync(join(directory, 'x.sock'))).toBe(false);
});

test('a plugin whose npm lives serves, and ends when npm is killed', async () => {
  const { build, says, ended } = await start();
  build.end('built\n');
  await says('x is ready');
  expect(existsSync(join(directory, 'x.sock'))).toBe(true);
  npm?.kill('SIGKILL');
  await ended;
  expect(existsSync(join(directory, 'x.sock'))).toBe(false);
});
