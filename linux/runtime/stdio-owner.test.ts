import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { givingPipes } from './stdio-owner.js';

test('pipes go to the user, other things stay as they are, and the command runs with its arguments', () => {
  const inner = {
    runtimePath: '/bin/sh',
    runtimeArgs: ['-c', 'stat -Lc %u:%g /dev/null /dev/fd/1; echo "$0 $1"', 'a b'],
    logFormat: 'text' as const,
  };
  const { runtimePath, runtimeArgs, logFormat } = givingPipes(inner, { uid: 12, gid: 34 });
  expect(logFormat).toBe('text');
  const { stdout, status } = spawnSync('sh', ['-c', '"$0" "$@" </dev/null | cat', runtimePath, ...runtimeArgs, 'c']);
  expect({ status, stdout: stdout.toString() }).toEqual({ status: 0, stdout: '0:0\n12:34\na b c\n' });
});
