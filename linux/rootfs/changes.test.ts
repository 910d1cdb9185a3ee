import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeNode, setXattr } from '../syscall/files.js';
import { listChanges } from './changes.js';
import { removeTreeSync } from './remove.js';
import { makeDeepTree } from './trees.fixture.js';

let scratch: string;
let lower: string;
let upper: string;
beforeEach(() => {
  scratch = mkdtempSync('/tmp/cleat-changes-');
  [lower, upper] = [join(scratch, 'lower'), join(scratch, 'upper')];
  for (const directory of [lower, upper]) mkdirSync(directory);
});
afterEach(() => removeTreeSync(scratch));

const mountPoints = ['/.dockerenv', '/etc/hosts', '/proc'];
const changes = (lowers = [lower]) =>
  listChanges({ upper, lowers, mountPoints }).map(({ Kind, Path }) => `${Kind} ${Path}`);

const S_IFCHR = 0o020000;

test('added, modified, deleted, opaque, mount points, and a symlink that would lead out', () => {
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

  expect(changes()).toEqual([
    '0 /etc',
    '2 /etc/group',
    '0 /etc/passwd',
    '1 /link',
    '1 /new',
    '1 /new/deep',
    '1 /new/deep/file',
    '0 /opaque',
    '2 /opaque/old',
  ]);
});

test('a directory that was made anew: what it hides is deleted, in all layers and below', () => {
  const [top, bottom] = [join(scratch, 'top'), lower];
  for (const directory of [join(bottom, 'd/deep/deeper'), join(top, 'd'), join(upper, 'd/deep')]) {
    mkdirSync(directory, { recursive: true });
  }
  for (const file of ['d/kept', 'd/lost', 'd/gone-before', 'd/deep/old', 'd/deep/deeper/x']) {
    writeFileSync(join(bottom, file), '');
  }
  writeFileSync(join(top, 'd/of-top'), '');
  makeNode(join(top, 'd/gone-before'), S_IFCHR, 0, 0);
  setXattr(join(upper, 'd'), 'trusted.overlay.opaque', Buffer.from('y'));
  writeFileSync(join(upper, 'd/kept'), 'anew');
  writeFileSync(join(upper, 'd/added'), '');
  writeFileSync(join(upper, 'd/deep/added'), '');
  expect(changes([top, bottom])).toEqual([
    '0 /d',
    '1 /d/added',
    '0 /d/deep',
    '1 /d/deep/added',
    '2 /d/deep/deeper',
    '2 /d/deep/old',
    '0 /d/kept',
    '2 /d/lost',
    '2 /d/of-top',
  ]);
});

test('a name that is no UTF-8 is shown as far as it can be; a deep tree is listed', () => {
  writeFileSync(Buffer.from(`${upper}/caf\xe9`, 'latin1'), '');
  expect(changes()).toEqual(['1 /caf\ufffd']);
  makeDeepTree(upper, 1500);
  makeDeepTree(lower, 1200);
  const found = listChanges({ upper, lowers: [lower], mountPoints: [] });
  expect(found.map(({ Kind }) => Kind).reduce<number>((sum, kind) => sum + kind, 0)).toBe(1 + 300 + 1);
  expect(found).toHaveLength(1 + 1500 + 1);
});

test('a container that never started', () => {
  expect(listChanges({ upper: join(scratch, 'missing'), lowers: [lower], mountPoints: [] })).toEqual([]);
});
