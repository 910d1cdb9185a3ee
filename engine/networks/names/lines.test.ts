import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { readLines } from './lines.js';

test('lines are whole, however they come', async () => {
  const lines: string[] = [];
  const server = createServer((socket) => readLines(socket, (line) => lines.push(line)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.setNoDelay(true);
  const bytes = Buffer.from('one\ntwö\n\nthree');
  for (const byte of bytes) await new Promise((resolve) => client.write(Buffer.of(byte), resolve));
  client.write(`${'x'.repeat(200_000)}\nfour\nfi`);
  await expect.poll(() => lines.at(-1)).toBe('four');
  client.destroy();
  server.close();
  expect(lines).toEqual(['one', 'twö', '', `three${'x'.repeat(200_000)}`, 'four']);
});
