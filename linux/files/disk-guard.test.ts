import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../process/run.js';
import { DiskGuard } from './disk-guard.js';

test('a program that fills the disk is ended, and told why; what fails by itself says its own reason', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cleat-guard-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', directory]);
  try {
    using guard = new DiskGuard(directory, new AbortController().signal);
    await expect(guard.over(run('cleat-is-no-program', [], guard))).rejects.toMatchObject({ class: 'Unavailable' });
    const filling = run('sh', ['-c', `head -c 8000000 /dev/zero >${directory}/all; exec sleep 60`], guard);
    await expect(guard.over(filling)).rejects.toMatchObject({ class: 'System', details: { errno: 'ENOSPC' } });
  } finally {
    execFileSync('umount', [directory]);
    rmdirSync(directory);
  }
});
