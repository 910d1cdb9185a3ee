import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeNode, setXattr } from '@cleat/linux/syscall/files';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Container } from '../container.js';
import type { Room } from '../room.js';
import { containerChanges } from './changes.js';

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync('/tmp/cleat-changes-');
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const S_IFCHR = 0o020000;

test('added, modified, deleted, opaque, mount points, and a symlink that would lead out', async () => {
  const lower = join(scratch, 'lower');
  const upper = join(scratch, 'upper');
  for (const directory of ['etc', 'opaque', 'same']) mkdirSync(join(lower, directory), { recursive: true });
  writeFileSync(join(lower, 'etc/passwd'), 'a');
  writeFileSync(join(lower, 'etc/group'), 'a');
  writeFileSync(join(lower, 'opaque/old'), 'a');
  for (const directory of ['etc', 'opaque', 'same', 'new/deep', 'proc']) {
    mkdirSync(join(upper, directory), { recursive: true });
  }
  writeFileSync(join(upper, 'etc/passwd'), 'b');
  makeNode(join(upper, 'etc/group'), S_IFCHR, 0, 0);
  makeNode(join(upper, 'etc/never-was'), S_IFCHR, 0, 0);
  writeFileSync(join(upper, 'etc/hosts'), '');
  setXattr(join(upper, 'opaque'), 'trusted.overlay.opaque', Buffer.from('y'));
  writeFileSync(join(upper, 'new/deep/file'), 'c');
  symlinkSync('/', join(upper, 'link'));

  const room = {
    paths: { upper: () => upper, ownFiles: () => join(upper, '../none') },
    images: { layerPaths: () => [lower] },
  } as unknown as Room;
  const container = { id: 'x', record: { imageId: 'sha256:x' } } as unknown as Container;
  expect(await containerChanges(room, container)).toEqual([
    { Path: '/etc', Kind: 0 },
    { Path: '/etc/group', Kind: 2 },
    { Path: '/etc/passwd', Kind: 0 },
    { Path: '/link', Kind: 1 },
    { Path: '/new', Kind: 1 },
    { Path: '/new/deep', Kind: 1 },
    { Path: '/new/deep/file', Kind: 1 },
    { Path: '/opaque', Kind: 0 },
  ]);
});
