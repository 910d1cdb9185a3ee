import { expect, test } from 'vitest';
import { checkProcMounts } from './proc-mounts.js';

const check = (destination: string, source = '/host', type = 'bind') =>
  checkProcMounts([{ destination, source, type, options: [] }], 'crun', '/r');

test.each(['/proc', '/proc/', '/proc/self/attr', '/proc/x/..', '/a/../proc/sys'])('%s is refused', (destination) => {
  const text = /^OCI runtime create failed: crun create failed: .* error mounting "\/host" to rootfs at "\/proc/;
  expect(() => check(destination)).toThrow(text);
  expect(() => check(destination, 'tmpfs', 'tmpfs')).toThrow('cannot be mounted because it is');
});

test('files of lxcfs, the host’s /proc, the engine’s own and all that lies elsewhere are not', () => {
  check('/proc/meminfo');
  check('/proc', '/proc/');
  check('/proc', 'proc', 'proc');
  check('/process');
  check('/x/proc');
});
