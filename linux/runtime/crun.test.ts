import { expect, test } from 'vitest';
import { crunResources, inRuncWords, isCrun } from './crun.js';

test.each([
  [
    'create',
    'executable file `x` not found in $PATH: No such file or directory',
    'crun create failed: unable to start container process: exec: "x": executable file not found in $PATH',
  ],
  [
    'exec',
    'executable file `/no/x` not found in $PATH: No such file or directory',
    'exec failed: unable to start container process: exec: "/no/x": stat /no/x: no such file or directory',
  ],
  [
    'create',
    'open executable: Permission denied',
    'crun create failed: unable to start container process: exec: "CMD": permission denied',
  ],
  [
    'create',
    'open executable: Operation not permitted',
    'crun create failed: unable to start container process: exec: "CMD": permission denied',
  ],
  [
    'exec',
    'open executable: Not a directory',
    'exec failed: unable to start container process: exec: "CMD": stat CMD: not a directory',
  ],
  [
    'exec',
    'chdir `/w`: No such file or directory',
    'exec failed: unable to start container process: chdir to cwd ("/w") set in config.json failed: no such file or directory',
  ],
  [
    'create',
    'mount `/a` to `b/c`: Not a directory',
    'crun create failed: unable to start container process: error during container init: error mounting "/a" to rootfs at "/b/c": not a directory',
  ],
  [
    'create',
    'mkdir `/d`: File name too long',
    'crun create failed: unable to start container process: error during container init: error mounting to rootfs at "/d": mkdir /d: file name too long',
  ],
  [
    'create',
    'mkdir `/ddd: File name too long',
    'crun create failed: unable to start container process: error during container init: error mounting to rootfs at "/ddd": mkdir /ddd: file name too long',
  ],
  ['create', 'writing file `cpu.rt_runtime_us`: Invalid argument', undefined],
  ['create', 'runc create failed: unable to start container process: exec: "x": permission denied', undefined],
])('%s: %s', (action, text, told) => {
  expect(inRuncWords(action, text, 'CMD')).toBe(told);
});

test('limits that crun cannot lift are written for it', () => {
  expect(crunResources({ pids: { limit: -1 }, cpu: { quota: -1 } })).toEqual({
    resources: { cpu: { quota: undefined } },
    lift: [
      { controller: 'pids', file: 'pids.max', value: 'max' },
      { controller: 'cpu', file: 'cpu.cfs_quota_us', value: '-1' },
    ],
  });
  const others = { pids: { limit: 5 }, cpu: { quota: 100 } };
  expect(crunResources(others)).toEqual({ resources: others, lift: [] });
});

test('it is known by its name', () => {
  expect(['crun', '/usr/bin/crun', '/opt/crun-debug', 'runc'].map(isCrun)).toEqual([true, true, false, false]);
});
