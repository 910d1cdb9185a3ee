import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { connectionsTo, countTo } from './connections.js';

const line = (remote: string, state = '01') =>
  `  0: 0100007F:0050 ${remote} ${state} 00000000:00000000 00:00000000 00000000\n`;

test.each([
  ['10.0.0.3', 80, '0300000A:0050'],
  ['fd00::4', 8080, '000000FD000000000000000004000000:1F90'],
  ['2001:db8:1:2:3:4:5:6', 1, 'B80D0120020001000400030006000500:0001'],
])('%s port %s is %s in the kernel’s table', (ip, port, text) => {
  const table = `  sl  local_address rem_address   st\n${line(text)}${line(text, '06')}${line('0300000A:0051')}${line(text)}`;
  expect(countTo(table, { ip, port })).toBe(2);
});

test.each(['127.0.0.1', '::1'])('connections to %s are counted', async (host) => {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const address = { ip: host, port: (server.address() as AddressInfo).port };
  expect(await connectionsTo(address)).toBe(0);
  const socket = connect(address.port, host);
  await once(socket, 'connect');
  expect(await connectionsTo(address)).toBe(1);
  socket.destroy();
  server.close();
  await expect.poll(() => connectionsTo(address)).toBe(0);
});
