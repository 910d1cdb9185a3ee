import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@cleat/protocol/log';
import { expect, test, vi } from 'vitest';
import { Journal } from './journal.js';
import { makeEvent } from './line.js';

const disk = vi.hoisted(() => ({ readOnly: false, short: false }));
vi.mock('node:fs', async (load) => {
  const fs = await load<typeof import('node:fs')>();
  const refuse = () => {
    if (disk.readOnly) throw Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' });
  };
  return {
    ...fs,
    ftruncateSync(...args: Parameters<typeof fs.ftruncateSync>): void {
      refuse();
      fs.ftruncateSync(...args);
    },
    writeSync(file: number, line: Buffer): number {
      refuse();
      return fs.writeSync(file, disk.short ? line.subarray(0, 10) : line);
    },
  };
});

const event = (at: number) => makeEvent('container', 'start', `c${at}`, {}, BigInt(at));

test('a disk that takes nothing fails nobody, and what comes later is whole', () => {
  const directory = mkdtempSync(join(tmpdir(), 'cleat-journal-'));
  const journal = new Journal({ directory, log: silentLogger });
  try {
    journal.append(() => event(1));
    disk.short = true;
    expect(journal.append(() => event(2)).seq).toBe(2);
    disk.readOnly = true;
    expect(journal.append(() => event(3)).seq).toBe(3);
    Object.assign(disk, { short: false, readOnly: false });
    journal.append(() => event(4));
    const kept = journal.read(1)?.entries.map(({ seq, event: { Actor } }) => `${seq} ${Actor.ID}`);
    expect(kept).toEqual(['1 c1', '4 c4']);
  } finally {
    journal.close();
    rmSync(directory, { recursive: true });
  }
});
