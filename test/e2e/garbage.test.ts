import { existsSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';

/** State files that are empty, cut short, garbage or gone: the next engine starts, and has everything else. */
let engine: Engine;
const { ok, refused } = clientOf(() => engine);
const data = (...path: string[]): string => join(engine.dataRoot, ...path);
const garbage = Buffer.from(Array.from({ length: 300 }, (_, at) => (at * 131) % 256));

beforeAll(async () => {
  engine = await startEngine();
  await ok('volume', 'create', 'data');
  await ok('network', 'create', 'net');
  await ok('run', '-d', '--name', 'runs', '-v', 'data:/d', '--net', 'net', 'busybox', 'sleep', '1000');
  await ok('create', '--name', 'other', 'busybox', 'true');
});
afterAll(async () => {
  await removeAll(engine);
  await engine[Symbol.asyncDispose]();
});

/** Kills the engine, damages what it left, and starts it again. */
async function damaged(damage: () => void): Promise<void> {
  await engine.kill('SIGKILL');
  damage();
  await engine.restart();
}

async function othersAreThere(): Promise<void> {
  expect((await ok('ps', '-a', '--format', '{{.Names}}')).split('\n')).toEqual(
    expect.arrayContaining(['other', 'runs']),
  );
  expect(await ok('exec', 'runs', 'echo', 'hi')).toBe('hi');
  expect(await ok('run', '--rm', '-v', 'data:/d', '--net', 'net', 'busybox', 'echo', 'fine')).toBe('fine');
}

describe('every file that is read at start', () => {
  test.each(['empty', 'cut short', 'garbage', 'gone'])('%s: engine-id', async (how) => {
    const id = await ok('info', '--format', '{{.ID}}');
    await damaged(() => {
      const path = data('engine-id');
      if (how === 'empty') truncateSync(path);
      else if (how === 'cut short') truncateSync(path, 10);
      else if (how === 'garbage') writeFileSync(path, garbage);
      else rmSync(path);
    });
    // The copy in the exec root brings it back.
    expect(await ok('info', '--format', '{{.ID}}')).toBe(id);
    await othersAreThere();
  });

  test.each(['events', 'extensions', 'containers'])('the files under %s: empty, then garbage', async (room) => {
    const files = (): string[] =>
      readdirSync(data(room), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !/upper|work|_data/.test(entry.parentPath))
        // A container's other files are its own: it sees them as hosts, hostname, resolv.conf.
        .filter(({ name }) => room !== 'containers' || name.startsWith('spool'))
        .map((entry) => join(entry.parentPath, entry.name));
    for (const damage of [(path: string) => truncateSync(path), (path: string) => writeFileSync(path, garbage)]) {
      expect(files().length).toBeGreaterThan(0);
      await damaged(() => files().forEach(damage));
      await othersAreThere();
      await ok('logs', 'runs');
      await ok('events', '--since', '0', '--until', '1');
    }
  });
});

test('a layer whose directory is gone: the container says so, and the image can be brought again', async () => {
  await ok('create', '--name', 'source', 'busybox', 'true');
  await ok('cp', '/etc/hostname', 'source:/extra');
  await ok('commit', 'source', 'lost');
  await ok('save', '-o', join(engine.directory, 'lost.tar'), 'lost');
  const before = readdirSync(data('layers'));
  await ok('rm', 'source');
  await ok('rmi', 'lost');
  await expect.poll(() => readdirSync(data('layers')).length).toBe(1);
  await ok('load', '-i', join(engine.directory, 'lost.tar'));
  const lost = readdirSync(data('layers')).filter((name) => !before.includes(name));
  expect(lost).toHaveLength(1);
  await ok('create', '--name', 'needs', 'lost', 'cat', '/extra');
  await damaged(() => rmSync(data('layers', lost[0] ?? ''), { recursive: true }));
  await othersAreThere();
  expect(await refused('start', 'needs')).toMatch(/layer|image/);
  await ok('load', '-i', join(engine.directory, 'lost.tar'));
  await ok('start', '-a', 'needs');
  await ok('rm', 'needs');
  await ok('rmi', 'lost');
});

test('a container whose directory is gone can be seen and removed', async () => {
  const id = await ok('create', '--name', 'homeless', 'busybox', 'true');
  await damaged(() => rmSync(data('containers', id), { recursive: true }));
  await othersAreThere();
  expect(existsSync(data('containers', id))).toBe(false);
  await ok('inspect', 'homeless');
  await engine.docker('start', 'homeless');
  await ok('rm', 'homeless');
});
