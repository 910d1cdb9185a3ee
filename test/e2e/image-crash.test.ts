import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { Registry } from './support/registry.js';

/** An engine that is killed while it stores an image: what is there is whole, and what is not whole is not there. */
const files = 3000;
const lastFile = `f${files - 1}`;
let engine: Engine;
let registry: Registry;
let scratch: string;
let name: string;
let archive: string;
let before: string[];
beforeAll(async () => {
  scratch = await mkdtemp('/tmp/cleat-e2e-image-crash-');
  registry = await Registry.start();
  engine = await startEngine();
  before = await stored();
  name = `${registry.host}/large:1`;
  archive = join(scratch, 'archive.tar');
  const root = join(scratch, 'root');
  await mkdir(root);
  await writeFile(join(root, 'large'), randomBytes(16 * 1024 * 1024));
  for (let index = 0; index < files; index++) await writeFile(join(root, `f${index}`), `${index}\n`);
  const id = await ok('create', '--name', 'source', 'busybox', 'true');
  await ok('cp', `${root}/.`, `${id}:/`);
  await ok('commit', 'source', name);
  await ok('rm', 'source');
  await ok('push', name);
  await ok('save', '-o', archive, name);
  await ok('rmi', name);
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});
const { ok } = clientOf(() => engine);

/** Everything that is stored for images, as names. */
async function stored(): Promise<string[]> {
  const roots = ['blobs/sha256', 'blobs/tmp', 'layers'].map((root) => join(engine.dataRoot, root));
  return (await Promise.all(roots.map((root) => readdir(root).then((names) => names.map((n) => join(root, n))))))
    .flat()
    .sort();
}

test.each([
  ['pull', () => ['pull', name]],
  ['load', () => ['load', '-i', archive]],
])('kill -9 during a %s leaves a whole image or none', async (_, command) => {
  let interrupted = 0;
  for (const delay of [60, 150, 300, 600]) {
    const client = engine.docker(...command());
    await sleep(delay);
    await engine.kill('SIGKILL');
    const { code } = await client;
    await engine.restart();
    const present = (await ok('images', '-q', name)) !== '';
    if (code === 0) expect(present).toBe(true);
    else interrupted++;
    if (present) {
      expect(await ok('run', '--rm', '--network', 'none', name, 'cat', `/${lastFile}`)).toBe(`${files - 1}`);
      await ok('rmi', name);
    }
    // What was removed goes in the background.
    await expect.poll(stored, { timeout: 5000 }).toEqual(before);
  }
  expect(interrupted).toBeGreaterThan(0);
  await ok(...command());
  expect(await ok('run', '--rm', '--network', 'none', name, 'cat', `/${lastFile}`)).toBe(`${files - 1}`);
  await ok('rmi', name);
  await expect.poll(stored, { timeout: 5000 }).toEqual(before);
});
