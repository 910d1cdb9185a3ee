import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNamespace, removeNamespace } from '@cleat/linux/net/namespace';
import { posixSpawn } from '@cleat/linux/syscall/spawn';
import { expect, test } from 'vitest';
import { isNeedless } from './orphan.js';

test('a process without an engine is needed as long as somebody is in a namespace that it serves, and it can be found', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cleat-orphan-'));
  const path = join(directory, 'one');
  const reachable = { isReachable: () => true };
  try {
    (await createNamespace(path)).abandon();
    expect(isNeedless(reachable, { paths: [] })).toBe(true);
    const sleeper = posixSpawn('/usr/bin/nsenter', [`--net=${path}`, 'sh', '-c', 'echo in; exec sleep 1000'], {
      env: process.env,
      stdio: ['null', 'writes', 'null'],
    });
    await new Promise((resolve) => sleeper.pipes[1]?.once('data', resolve));
    expect(isNeedless(reachable, { paths: [path, join(directory, 'gone')] })).toBe(false);
    expect(isNeedless({ isReachable: () => false }, { paths: [path] })).toBe(true);
    process.kill(sleeper.pid, 'SIGKILL');
    await sleeper.ended;
    await expect.poll(() => isNeedless(reachable, { paths: [path] })).toBe(true);
  } finally {
    removeNamespace(path);
    rmSync(directory, { recursive: true });
  }
});
