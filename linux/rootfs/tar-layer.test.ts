import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ByteSource } from '../archive/byte-source.js';
import { TarReader } from '../archive/tar-reader.js';
import { makeNode, setXattr } from '../syscall/files.js';
import { Root } from './root.js';
import { tarOut } from './tar-out.js';

let upper: string;
beforeAll(() => {
  upper = mkdtempSync('/tmp/cleat-layer-');
});
afterAll(() => rmSync(upper, { recursive: true, force: true }));

test('an upper directory becomes a layer: whiteouts, opaque directories, and no empty mount points', async () => {
  mkdirSync(join(upper, 'etc'));
  mkdirSync(join(upper, 'new'));
  writeFileSync(join(upper, 'etc/hosts'), '');
  writeFileSync(join(upper, 'etc/motd'), 'hello');
  makeNode(join(upper, 'etc/group'), 0o020000, 0, 0);
  setXattr(join(upper, 'new'), 'trusted.overlay.opaque', Buffer.from('y'));
  using root = new Root(upper);
  const bytes = new ByteSource(
    (async function* () {
      for (const piece of tarOut(root, '/', { entryName: '.', bare: true, layer: { leaveOut: ['etc/hosts'] } })) {
        yield Buffer.from(piece);
      }
    })(),
  );
  const reader = new TarReader(bytes);
  const names: string[] = [];
  for (let entry = await reader.next(); entry; entry = await reader.next()) names.push(`${entry.type} ${entry.name}`);
  expect(names).toEqual([
    'directory ./',
    'directory etc/',
    'file etc/.wh.group',
    'file etc/motd',
    'directory new/',
    'file new/.wh..wh..opq',
  ]);
});
