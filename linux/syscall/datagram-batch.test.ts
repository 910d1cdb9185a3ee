import { createSocket } from 'node:dgram';
import { closeSync } from 'node:fs';
import { expect, test } from 'vitest';
import { addressIn, DatagramBatch } from './datagram-batch.js';
import { bindPort, duplicate } from './socket.js';

async function portOf(fd: number): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind({ fd: duplicate(fd) }, resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}

test('many datagrams are received and answered, each to its sender; long ones are cut, and longer answers left', async () => {
  const fd = bindPort('udp', Uint8Array.of(127, 0, 0, 1), 0);
  const batch = new DatagramBatch(8, { received: 10, sent: 20 });
  const clients = Array.from({ length: 3 }, () => createSocket('udp4'));
  try {
    const port = await portOf(fd);
    expect(batch.receive(fd)).toEqual([]);
    const heard: string[] = [];
    for (const [at, client] of clients.entries()) {
      client.on('message', (message) => heard.push(`${at}: ${message}`));
      for (const text of ['one', 'a long question']) {
        await new Promise((resolve) => client.send(`${at} ${text}`, port, '127.0.0.1', resolve));
      }
    }
    const all = batch.receive(fd);
    expect(all.map(({ message }) => message.toString())).toEqual(
      [0, 1, 2].flatMap((at) => [`${at} one`, `${at} a long q`]),
    );
    expect(addressIn(all[0]?.from ?? Buffer.alloc(16))).toEqual({
      address: '127.0.0.1',
      port: clients[0]?.address().port,
    });
    const answers = all.map(({ message, from }) => ({ message: Buffer.from(`re ${message}`), to: Buffer.from(from) }));
    expect(batch.send(fd, answers)).toBe(6);
    await expect.poll(() => heard).toHaveLength(6);
    expect(heard.sort()).toEqual([0, 1, 2].flatMap((at) => [`${at}: re ${at} a long q`, `${at}: re ${at} one`]));
    const [first, second] = answers;
    if (!first || !second) throw new Error('there were six');
    expect(batch.send(fd, [first, { ...second, message: Buffer.alloc(21) }, second])).toBe(1);
    expect(batch.send(fd, [{ ...second, message: Buffer.alloc(21) }])).toBe(0);
  } finally {
    for (const client of clients) client.close();
    closeSync(fd);
  }
});
