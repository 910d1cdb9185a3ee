import { closeSync, readSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { callC } from '../syscall/ffi.js';
import { PacketSocket } from './packet-socket.js';

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SHUT_RD = 0;

/** A peer that does as it is told, at once: a conmon whose process has its own mind about input and output. */
async function withPeer(work: (peer: number, socket: PacketSocket, seen: Seen) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cleat-packets-'));
  const path = join(directory, 'attach');
  const name = Buffer.alloc(110);
  name.writeUInt16LE(AF_UNIX, 0);
  name.write(path, 2);
  const server = callC('int socket(int domain, int type, int protocol)', path, AF_UNIX, SOCK_SEQPACKET, 0);
  callC('int bind(int fd, const void *name, unsigned int length)', path, server, name, name.length);
  callC('int listen(int fd, int backlog)', path, server, 5);
  const seen: Seen = { packets: [], ended: Promise.resolve() };
  let onEnd = () => {};
  seen.ended = new Promise((resolve) => {
    onEnd = resolve;
  });
  const socket = new PacketSocket(path, { onPacket: (packet) => void seen.packets.push(packet.toString()), onEnd });
  const peer = callC('int accept(int fd, void *name, void *length)', path, server, null, null);
  try {
    await work(peer, socket, seen);
  } finally {
    socket.destroy();
    closeSync(server);
    await rm(directory, { recursive: true });
  }
}

interface Seen {
  packets: string[];
  ended: Promise<void>;
}

const many = Array.from({ length: 50 }, (_none, index) => `packet ${index}`);

describe('a half of the connection that fails leaves the other one alone', () => {
  test('the peer closes with input unread: all that it had said arrives', async () => {
    await withPeer(async (peer, socket, seen) => {
      await socket.write(Buffer.from('never read'));
      for (const text of many) writeSync(peer, text);
      closeSync(peer);
      await seen.ended;
      expect(seen.packets).toEqual(many);
      await expect(socket.write(Buffer.from('more'))).rejects.toMatchObject({ class: 'Unavailable' });
      await socket.endInput();
    });
  });

  test('the peer takes no more input, and speaks before and after that', async () => {
    await withPeer(async (peer, socket, seen) => {
      writeSync(peer, 'before');
      callC('int shutdown(int fd, int how)', 'peer', peer, SHUT_RD);
      await expect(socket.write(Buffer.from('tiny'))).rejects.toMatchObject({ class: 'Unavailable' });
      await expect.poll(() => seen.packets).toEqual(['before']);
      expect(socket.inputClosed).toBe(true);
      await socket.endInput();
      for (const text of many) writeSync(peer, text);
      await expect.poll(() => seen.packets).toEqual(['before', ...many]);
      closeSync(peer);
      await seen.ended;
    });
  });

  test('the end of our input leaves the output', async () => {
    await withPeer(async (peer, socket, seen) => {
      await socket.write(Buffer.from('all of it'));
      await socket.endInput();
      const buffer = Buffer.alloc(100);
      expect(buffer.toString('utf8', 0, readSync(peer, buffer))).toBe('all of it');
      expect(readSync(peer, buffer)).toBe(0);
      writeSync(peer, 'answer');
      closeSync(peer);
      await seen.ended;
      expect(seen.packets).toEqual(['answer']);
    });
  });
});

test('a handler that throws ends its connection, not the process', async () => {
  await withPeer(async (peer, socket, seen) => {
    seen.packets.push = () => {
      throw new Error('no space left');
    };
    writeSync(peer, 'x');
    await seen.ended;
    expect(socket.inputClosed).toBe(true);
    closeSync(peer);
  });
});
