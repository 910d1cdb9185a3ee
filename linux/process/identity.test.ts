import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isAlive, processIdentity } from './identity.js';

test('a process is itself until it ends', async () => {
  const child = spawn('sleep', ['60']);
  const identity = processIdentity(child.pid ?? -1);
  if (!identity) throw new Error('no identity');
  expect(isAlive(identity)).toBe(true);
  expect(isAlive({ ...identity, startTime: '1' })).toBe(false);
  expect(isAlive({ ...identity, bootId: 'another' })).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(isAlive(identity)).toBe(false);
  expect(processIdentity(identity.pid)).toBe(undefined);
});
