import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { growthDuring, identityOf } from './support/same-process.js';

/** Containers and plugins can make some things as large as they like; the engine's memory for them has a bound. */
let engine: Engine;
let identity: string;
const { ok } = clientOf(() => engine);
beforeAll(async () => {
  engine = await startEngine();
  identity = identityOf(engine.pid);
});
afterAll(async () => {
  await removeAll(engine);
  await engine[Symbol.asyncDispose]();
});

const mebibyte = 1024 * 1024;

/** How often each size of a frame comes in a container's output, until its end. */
async function framesOf(container: string): Promise<Record<number, number>> {
  const path = `/containers/${container}/logs?stdout=1&follow=1`;
  const sent = request({ socketPath: engine.socket, path }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const sizes: Record<number, number> = {};
  let head = Buffer.alloc(0);
  let left = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.subarray(at, at + (left || 8 - head.length));
      at += taken.length;
      if (left > 0) {
        left -= taken.length;
        continue;
      }
      head = Buffer.concat([head, taken]);
      if (head.length < 8) continue;
      left = head.readUInt32BE(4);
      sizes[left] = (sizes[left] ?? 0) + 1;
      head = Buffer.alloc(0);
    }
  }
  return sizes;
}

test('a volume driver whose list has no end is named, and the others are listed', async () => {
  await ok('volume', 'create', 'kept');
  let sent = 0;
  const endless = (socket: Socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{"Volumes": [   \r\n');
    const volumes = '{"Name":"one","Mountpoint":"/m"},'.repeat(2000);
    const more = () => {
      do sent += volumes.length;
      while (!socket.destroyed && socket.write(`${volumes.length.toString(16)}\r\n${volumes}\r\n`));
    };
    socket.on('drain', more);
    more();
  };
  const answer = (text: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
  const driver = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      const asked = String(data);
      if (asked.includes('VolumeDriver.List')) endless(socket);
      else if (asked.includes('Plugin.Activate')) socket.write(answer('{"Implements":["VolumeDriver"]}'));
      else if (asked.startsWith('POST')) socket.write(answer('{}'));
    });
  }).listen(join(engine.pluginDirectory, 'endless.sock'));
  try {
    await once(driver, 'listening');
    // A plugin that is new is asked once it has said what it is.
    const warnings = async () => JSON.parse((await engine.api('GET', '/volumes')).body).Warnings;
    await expect.poll(warnings).not.toBeNull();
    sent = 0;
    const growth = await growthDuring(engine.pid, async () => {
      for (let time = 0; time < 3; time++) {
        const { body } = await engine.api('GET', '/volumes');
        const { Volumes, Warnings } = JSON.parse(body) as { Volumes: { Name: string }[]; Warnings: string[] };
        expect(Volumes.map(({ Name }) => Name)).toEqual(['kept']);
        expect(Warnings).toEqual([
          expect.stringMatching(/^list endless: .* answered VolumeDriver\.List with more than 16777216 bytes$/),
        ]);
      }
    });
    expect(growth).toBeLessThan(96 * mebibyte);
    expect(sent).toBeLessThan(3 * 24 * mebibyte);
  } finally {
    driver.close();
  }
  expect(identityOf(engine.pid)).toBe(identity);
});

test('a line without an end comes in pieces of 16 KiB', async () => {
  const length = 192 * mebibyte;
  const script = `head -c ${length} /dev/zero; echo`;
  const growth = await growthDuring(engine.pid, async () => {
    await ok('run', '-d', '--name', 'line', '-m', '32m', 'busybox', 'sh', '-c', script);
    expect(await framesOf('line')).toEqual({ 16384: length / 16384, 1: 1 });
  });
  expect(growth).toBeLessThan(0.75 * length);
  expect(identityOf(engine.pid)).toBe(identity);
});
