import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { find, scan } from './directories.js';

let root: string;
let directories: string[];
const servers: Server[] = [];

beforeEach(() => {
  root = mkdtempSync('/tmp/cleat-find-');
  directories = ['run', 'etc', 'lib'].map((name) => join(root, name));
  for (const directory of directories) mkdirSync(directory);
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  rmSync(root, { recursive: true });
});

const at = (path: string): string => join(root, path);
const socket = (path: string): Promise<void> =>
  new Promise((resolve) => {
    mkdirSync(join(at(path), '..'), { recursive: true });
    servers.push(createServer().listen(at(path), resolve));
  });
const file = (path: string, text: string): void => {
  mkdirSync(join(at(path), '..'), { recursive: true });
  writeFileSync(at(path), text);
};
const spec = (path: string): void => file(path, 'tcp://127.0.0.1:1');
const json = (path: string): void => file(path, '{"Addr":"tcp://127.0.0.1:1"}');
const origin = (name: string): string | undefined => find(directories, name)?.origin.replace(`${root}/`, '');
const problem = async (name: string): Promise<unknown> =>
  find(directories, name)
    ?.open()
    .catch((error: unknown) => error);

describe('which one wins, as in Docker’s daemon 20.10', () => {
  test('a socket over every file', async () => {
    spec('etc/p.spec');
    json('etc/p.json');
    await socket('run/p.sock');
    expect(origin('p')).toBe('run/p.sock');
  });

  test('the directory itself over one in it', async () => {
    await socket('run/p/p.sock');
    expect(origin('p')).toBe('run/p/p.sock');
    await socket('run/p.sock');
    expect(origin('p')).toBe('run/p.sock');
  });

  test('a .spec over a .json, wherever in a directory; one directory over the next', () => {
    json('lib/p.json');
    expect(origin('p')).toMatch(/^lib\/p\.json /);
    spec('lib/p/p.spec');
    expect(origin('p')).toMatch(/^lib\/p\/p\.spec /);
    json('etc/p/p.json');
    expect(origin('p')).toMatch(/^etc\/p\/p\.json /);
    spec('etc/p/p.spec');
    expect(origin('p')).toMatch(/^etc\/p\/p\.spec /);
  });

  test('another name, or a file called like a socket, is none', () => {
    file('run/p.sock', '');
    file('run/p.socket', '');
    mkdirSync(at('run/q.sock'));
    mkdirSync(at('run/r'));
    expect(['p', 'q', 'r'].map(origin)).toEqual([undefined, undefined, undefined]);
  });
});

test('all are seen, once each, links included', async () => {
  await socket('run/a.sock');
  await socket('elsewhere/b.sock');
  await socket('elsewhere/c.sock');
  symlinkSync(at('elsewhere/b.sock'), at('run/b.sock'));
  mkdirSync(at('apart'));
  symlinkSync(at('elsewhere/c.sock'), at('apart/c.sock'));
  symlinkSync(at('apart'), at('run/c'));
  spec('etc/a.spec');
  spec('etc/d.spec');
  json('lib/e/e.json');
  file('lib/e/other.json', '{}');
  file('etc/README', '');
  expect(scan([...directories, at('nowhere')])).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(['b', 'c'].map(origin)).toEqual(['run/b.sock', 'run/c/c.sock']);
});

test('a replaced socket and a changed file are another place; one that is gone is none', async () => {
  await socket('run/p.sock');
  const first = find(directories, 'p')?.id;
  expect(find(directories, 'p')?.id).toBe(first);
  await new Promise((resolve) => servers.pop()?.close(resolve));
  expect(find(directories, 'p')).toBeUndefined();
  await socket('run/p.sock');
  expect(find(directories, 'p')?.id).not.toBe(first);
  spec('etc/q.spec');
  const before = find(directories, 'q')?.id;
  file('etc/q.spec', 'tcp://127.0.0.1:2');
  expect(find(directories, 'q')?.id).not.toBe(before);
});

function makeSparse(path: string, bytes: number): void {
  writeFileSync(path, '');
  truncateSync(path, bytes);
}

describe('nothing that lies there holds the engine', () => {
  test.each<[string, (path: string) => void, RegExp]>([
    ['a FIFO', (path) => execFileSync('mkfifo', [path]), /not a regular file/],
    ['a directory', (path) => mkdirSync(path), /not a regular file/],
    ['a device without end', (path) => symlinkSync('/dev/zero', path), /not a regular file/],
    ['a link in a circle', (path) => symlinkSync(path, path), /too many levels of symbolic links/],
    ['a terabyte', (path) => makeSparse(path, 2 ** 40), /more than 1048576 bytes/],
    ['nonsense', (path) => writeFileSync(path, '\u0000\u001b[2J'), /no address|not JSON/],
    ['an address of nobody’s', (path) => writeFileSync(path, 'unix://relative'), /no address|not JSON/],
    ['nothing', (path) => writeFileSync(path, ''), /no address|not JSON/],
  ])('%s', async (_what, make, why) => {
    for (const ending of ['.spec', '.json']) {
      const name = `p${ending.slice(1)}`;
      make(at(`etc/${name}${ending}`));
      expect(await problem(name)).toMatchObject({ class: 'InvalidParameter', message: expect.stringMatching(why) });
      expect(origin(name)).not.toMatch(/[\u0000-\u001f]/);
    }
    expect(scan(directories)).toEqual(['pjson', 'pspec']);
  });

  test('a link that leads nowhere is nothing', () => {
    symlinkSync(at('nowhere'), at('etc/p.spec'));
    symlinkSync(at('nowhere'), at('run/p.sock'));
    expect(origin('p')).toBeUndefined();
  });

  test('names that lead elsewhere, or attack a terminal, are nobody’s', async () => {
    await socket('run/p.sock');
    for (const name of ['../run/p', './p', '/p', 'x/../p', '..', '.', '', '.hidden', 'p\0', `${at('run')}/p`]) {
      expect(find(directories, name), name).toBeUndefined();
    }
    spec('etc/\u001b[2J.spec');
    spec('etc/two\nlines.spec');
    expect(scan(directories)).toEqual(['p']);
    expect(find(directories, '\u001b[2J')).toBeUndefined();
    expect(find(directories, 'x'.repeat(300))).toBeUndefined();
  });
});
