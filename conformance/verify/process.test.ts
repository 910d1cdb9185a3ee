import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hiddenMount, processesBehind } from './process.js';

test('all who have the listening socket are found, and one that has ended since hides nothing', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cle-process-'));
  const address = { type: 'unix', path: join(directory, 'p.sock') } as const;
  const server = createServer().listen(address.path);
  try {
    await once(server, 'listening');
    // Node's name for the descriptor is not public.
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
    const child = spawn('sleep', ['600'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    const ended = once(child, 'exit');
    let pids: number[] = [];
    try {
      pids = processesBehind(address);
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
    expect(pids.toSorted((one, other) => one - other)).toEqual(
      [process.pid, Number(child.pid)].toSorted((one, other) => one - other),
    );
    expect(pids.map((pid) => hiddenMount(pid, directory))).toEqual([undefined, undefined]);
    expect(processesBehind(address)).toEqual([process.pid]);
  } finally {
    server.close();
    rmSync(directory, { recursive: true });
  }
});
