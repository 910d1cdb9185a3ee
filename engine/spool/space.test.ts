import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mountTmpfs, unmount } from '@cleat/linux/mount/mount';
import { silentLogger } from '@cleat/protocol/log';
import { expect, test } from 'vitest';
import { SpaceWatch } from './space.js';

test('little space, none, and enough again are told once each', () => {
  const path = mkdtempSync(join(tmpdir(), 'cleat-space-'));
  mountTmpfs(path, { source: 'space', size: 64 * 1024 * 1024, mode: '700', flags: 0 });
  const said: string[] = [];
  const log = { ...silentLogger, warn: (text: string) => said.push(text), info: (text: string) => said.push(text) };
  const watch = new SpaceWatch(path, log);
  try {
    watch.look();
    watch.look();
    expect(watch.warning).toMatch(/^only 6\d MB are free in .*: once it is full, what containers print is lost$/);
    writeFileSync(join(path, 'much'), Buffer.alloc(60 * 1024 * 1024));
    watch.look();
    expect(watch.warning).toMatch(/^only \d MB are free in .*: what containers print may be lost$/);
    expect(said).toHaveLength(2);
  } finally {
    watch.close();
    unmount(path);
    rmSync(path, { recursive: true });
  }
});
