import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SpareSpace } from './spare-space.js';

const mebibyte = 1024 * 1024;
const directory = mkdtempSync(join(tmpdir(), 'cleat-spare-'));
beforeAll(() => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m,nr_inodes=160', 'tmpfs', directory]);
});
afterAll(() => {
  execFileSync('umount', [directory]);
  rmdirSync(directory);
});
const fill = (mebibytes: number): void => {
  execFileSync('fallocate', ['-l', `${mebibytes}M`, join(directory, 'filler')]);
};

test('the last of a file system is kept free: a sixteenth of a small one', () => {
  expect(() => new SpareSpace(directory).take(31 * mebibyte)).toThrow(
    'no space left on device (the last 2 MiB are kept free for what runs)',
  );
  const spare = new SpareSpace(directory);
  spare.take(20 * mebibyte);
  fill(20);
  // It looks again before what it saw is used up, no matter by whom.
  let taken = 0;
  expect(() => {
    for (; taken < 32; taken++) {
      spare.take(mebibyte);
      fill(21 + taken);
    }
  }).toThrow('no space left on device');
  expect(statfsSync(directory).bavail * statfsSync(directory).bsize).toBeGreaterThanOrEqual(2 * mebibyte);
  expect(taken).toBeGreaterThanOrEqual(8);
  execFileSync('rm', [join(directory, 'filler')]);
});

test('inodes are kept, too', () => {
  new SpareSpace(directory).take(1);
  execFileSync('sh', ['-c', 'for i in $(seq 152); do : > f$i; done'], { cwd: directory });
  expect(() => new SpareSpace(directory).take(1)).toThrow('no space left on device');
  execFileSync('sh', ['-c', 'rm f*'], { cwd: directory });
});

test('where another file system is to be kept, this one may be filled', () => {
  const spare = new SpareSpace(directory, '/proc');
  spare.take(1000 * mebibyte);
  expect(() => new SpareSpace(directory, directory).take(1000 * mebibyte)).toThrow('no space left on device');
});
