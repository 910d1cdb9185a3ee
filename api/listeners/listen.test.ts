import { execFileSync } from 'node:child_process';
import { lstatSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAddress } from './address.js';
import { listen } from './listen.js';

describe('a UNIX socket', () => {
  it('is 0660, replaces a stale one, and leaves one alone that answers', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'cleat-listen-'));
    try {
      const path = join(directory, 'a.sock');
      writeFileSync(path, '');
      await expect(listen(`unix://${path}`, {}, () => {})).rejects.toThrow(/not a socket/);
      await rm(path);
      // A server that dies without cleaning up leaves its socket.
      const stale = createServer();
      await new Promise<void>((resolve) => stale.listen(path, resolve));
      await expect(listen(`unix://${path}`, {}, () => {})).rejects.toMatchObject({ class: 'Conflict' });
      const listeners = await listen(`unix://${join(directory, 'b.sock')}`, { group: '4242' }, () => {});
      const stat = lstatSync(join(directory, 'b.sock'));
      expect([stat.mode & 0o777, stat.gid]).toEqual([0o660, 4242]);
      for (const listener of listeners) await listener.close();
      await new Promise((resolve) => stale.close(resolve));
      await expect(listen(`unix://${path}`, { group: 'no-such-group' }, () => {})).rejects.toThrow(/no-such-group/);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

it('asks the kernel to look after silent clients on TCP', async () => {
  let taken: (socket: Socket) => void = () => {};
  const accepted = new Promise<Socket>((resolve) => {
    taken = resolve;
  });
  const [listener] = await listen('tcp://127.0.0.1:0', {}, taken);
  const port = Number(listener?.address.split(':').at(-1));
  const client = connect(port, '127.0.0.1');
  const socket = await accepted;
  try {
    const timers = execFileSync('ss', ['-Htno', 'sport', '=', `:${port}`], { encoding: 'utf8' });
    expect(timers).toMatch(/timer:\(keepalive,1\dsec/);
  } finally {
    client.destroy();
    socket.destroy();
    await listener?.close();
  }
});

describe('addresses', () => {
  it.each([
    ['unix://', { kind: 'unix', path: '/var/run/docker.sock' }],
    ['tcp://:2375', { kind: 'tcp', host: '127.0.0.1', port: 2375 }],
    ['tcp://[::1]:1', { kind: 'tcp', host: '::1', port: 1 }],
    ['0.0.0.0:2376', { kind: 'tcp', host: '0.0.0.0', port: 2376 }],
    ['fd://', { kind: 'fd', name: '' }],
  ])('%s', (text, address) => expect(parseAddress(text)).toEqual(address));

  it.each(['tcp://a:b', 'http://x', 'tcp://h:99999'])('refuses %s', (text) =>
    expect(() => parseAddress(text)).toThrow(/Invalid bind address/),
  );
});
