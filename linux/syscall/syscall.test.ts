import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listeningSockets } from '../process/belongings.js';
import { errnoName, errnoOf } from './errno.js';
import { deviceNumber, getXattr, listXattrs, makeFifo, makeNode, openInRoot, setXattr, splitDevice } from './files.js';
import { mount } from './mount.js';
import { openPidFd, pidFdExited, processExists } from './process.js';
import { listeningPid } from './socket.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-syscall-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function failure(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return errnoOf(error);
  }
}

test('an error has the name that Node gives it, also where the kernel has two', () => {
  expect([1, 11, 35, 95, 4711].map(errnoName)).toEqual(['EPERM', 'EAGAIN', 'EDEADLK', 'ENOTSUP', 'errno 4711']);
});

test('a failed call carries its errno', () => {
  expect(failure(() => mount('none', join(directory, 'missing'), 'tmpfs', 0, null))).toBe('ENOENT');
});

test('symlinks and .. resolve inside the root', () => {
  symlinkSync('/../../../../etc/passwd', join(directory, 'absolute'));
  const root = openSync(directory, constants.O_RDONLY);
  try {
    expect(failure(() => openInRoot(root, 'absolute', constants.O_RDONLY))).toBe('ENOENT');
    writeFileSync(join(directory, 'file'), 'mine');
    symlinkSync('/file', join(directory, 'link'));
    const fd = openInRoot(root, '/../link', constants.O_RDONLY);
    expect(readFileSync(fd, 'utf8')).toBe('mine');
    closeSync(fd);
  } finally {
    closeSync(root);
  }
});

test('nodes and attributes', () => {
  makeFifo(join(directory, 'fifo'), 0o600);
  expect(statSync(join(directory, 'fifo')).isFIFO()).toBe(true);
  const device = join(directory, 'device');
  makeNode(device, constants.S_IFCHR | 0o600, 1, 3);
  expect(splitDevice(statSync(device, { bigint: true }).rdev)).toEqual({ major: 1, minor: 3 });
  expect(splitDevice(deviceNumber(0xabcde, 0x12345))).toEqual({ major: 0xabcde, minor: 0x12345 });
  const value = Buffer.from([0, 255, 7]);
  writeFileSync(join(directory, 'file'), '');
  setXattr(join(directory, 'file'), 'trusted.cleat', value);
  expect(getXattr(join(directory, 'file'), 'trusted.cleat')).toEqual(value);
  expect(listXattrs(join(directory, 'file'))).toContain('trusted.cleat');
  expect(failure(() => getXattr(join(directory, 'file'), 'trusted.none'))).toBe('ENODATA');
});

test('a pidfd tells a living process', () => {
  const fd = openPidFd(process.pid);
  expect(pidFdExited(fd)).toBe(false);
  closeSync(fd);
  expect(processExists(process.pid)).toBe(true);
  expect(failure(() => openPidFd(2 ** 22 + 1))).toBe('ESRCH');
});

test('the process that listens at a UNIX socket', async () => {
  const path = join(directory, 's.sock');
  expect(failure(() => listeningPid(path))).toBe('ENOENT');
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(path, resolve));
  expect(listeningPid(path)).toBe(process.pid);
  expect(listeningSockets(process.pid)).toContain(path);
  await new Promise((resolve) => server.close(resolve));
  writeFileSync(path, '');
  expect(failure(() => listeningPid(path))).toBe('ECONNREFUSED');
});
