import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { replaceDeviceLimits } from './block-devices.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cleat-blkio-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const file = (name: string) => join(root, name);
const device = (minor: number, value: number) => ({ major: 8, minor, value });

test('version 1: a list replaces the one before, and others stay', () => {
  for (const name of ['read_bps', 'write_iops']) writeFileSync(file(`blkio.throttle.${name}_device`), '');
  const hierarchy = { version: 1, hybrid: false, controllers: new Map([['blkio', root]]), unified: undefined } as const;
  replaceDeviceLimits('', { readBps: [device(0, 7)], writeIops: [device(0, 9)] }, { readBps: [] }, hierarchy);
  expect(readFileSync(file('blkio.throttle.read_bps_device'), 'utf8')).toBe('8:0 0');
  expect(readFileSync(file('blkio.throttle.write_iops_device'), 'utf8')).toBe('');
  replaceDeviceLimits('', {}, { writeIops: [device(1, 5)] }, hierarchy);
  expect(readFileSync(file('blkio.throttle.write_iops_device'), 'utf8')).toBe('8:1 5');
});

test('version 2: what is no longer limited says max', () => {
  for (const name of ['io.max', 'io.weight']) writeFileSync(file(name), '');
  const hierarchy = { version: 2, hybrid: false, controllers: new Map(), unified: root } as const;
  replaceDeviceLimits('', {}, { writeBps: [device(0, 1024)] }, hierarchy);
  expect(readFileSync(file('io.max'), 'utf8')).toBe('8:0 wbps=1024');
  replaceDeviceLimits('', { writeBps: [device(0, 1024)] }, { writeBps: [] }, hierarchy);
  expect(readFileSync(file('io.max'), 'utf8')).toContain('8:0 wbps=max');
  replaceDeviceLimits('', { weight: [device(0, 50)] }, { weight: [] }, hierarchy);
  expect(readFileSync(file('io.weight'), 'utf8')).toBe('8:0 default');
});
