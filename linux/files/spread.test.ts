import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { spreadDirectories } from './spread.js';

const ext4 = 0xef53;
const places = [tmpdir(), '/dev/shm'].map((parent) => mkdtempSync(join(parent, 'cleat-spread-')));
afterAll(() => {
  for (const place of places) rmSync(place, { recursive: true });
});

test.each(places)('ext4 is told to spread the directories in %s, other file systems are left alone', (place) => {
  const isExt4 = statfsSync(place).type === ext4;
  // Again, as at the next start.
  for (const _ of [1, 2]) expect(spreadDirectories(place)).toBe(isExt4);
  if (isExt4) expect(execFileSync('lsattr', ['-d', place], { encoding: 'utf8' }).split(' ')[0]).toContain('T');
});
