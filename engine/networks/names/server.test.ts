import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { silentLogger } from '@cleat/protocol/log';
import dns from 'dns-packet';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listen, type NameServer } from './server.js';

/** An address of loopback that is this process's alone. */
const address = `127.53.${process.pid % 250}.${1 + (Math.floor(process.pid / 250) % 250)}`;
const dead = '127.53.255.254';
let server: NameServer;
let forward = true;

beforeEach(async () => {
  const question = () => ({
    addressesOf: (name: string) => (name.toLowerCase() === 'db' ? ['10.1.2.3'] : []),
    nameOf: (ip: string) => (ip === '10.1.2.3' ? 'db' : undefined),
    upstream: [dead],
    forward,
  });
  server = await listen(address, question, silentLogger);
});
afterEach(() => server.close());

async function ask(message: Buffer): Promise<dns.DecodedPacket> {
  const socket = createSocket('udp4');
  try {
    return await new Promise((resolve) => {
      socket.on('message', (answer) => resolve(dns.decode(answer)));
      socket.send(message, 53, address);
    });
  } finally {
    socket.close();
  }
}

const query = (name: string, type: 'A' | 'AAAA' | 'PTR' | 'MX') =>
  dns.encode({ type: 'query', id: 4711, flags: dns.RECURSION_DESIRED, questions: [{ name, type }] });

test('our own names are answered, and only with what they have', async () => {
  expect(await ask(query('DB', 'A'))).toMatchObject({
    id: 4711,
    rcode: 'NOERROR',
    answers: [{ name: 'DB', type: 'A', data: '10.1.2.3' }],
  });
  expect(await ask(query('db', 'AAAA'))).toMatchObject({ rcode: 'NOERROR', answers: [] });
  expect(await ask(query('db', 'MX'))).toMatchObject({ rcode: 'NOERROR', answers: [] });
  expect(await ask(query('3.2.1.10.in-addr.arpa', 'PTR'))).toMatchObject({ answers: [{ data: 'db' }] });
});

test('what nobody answers is a failure, never silence and never the end of the process', async () => {
  expect(await ask(query('elsewhere.test', 'A'))).toMatchObject({ id: 4711, rcode: 'SERVFAIL' });
  expect(await ask(Buffer.from([0x12, 0x67, 1]))).toMatchObject({ id: 0x1267, rcode: 'SERVFAIL' });
  forward = false;
  expect(await ask(query('elsewhere.test', 'A'))).toMatchObject({ rcode: 'SERVFAIL' });
});

test('the same over TCP, two questions in one go', async () => {
  const socket = connect(53, address);
  const framed = (message: Buffer) => Buffer.concat([Buffer.from([0, message.length]), message]);
  socket.write(Buffer.concat([framed(query('db', 'A')), framed(query('db', 'AAAA'))]));
  const received: Buffer[] = [];
  for await (const chunk of socket) {
    received.push(chunk);
    const all = Buffer.concat(received);
    const first = all.length >= 2 ? 2 + all.readUInt16BE(0) : 0;
    if (first > 0 && all.length > first + 2 && all.length >= first + 2 + all.readUInt16BE(first)) {
      expect(dns.decode(all.subarray(2, first)).answers).toHaveLength(1);
      expect(dns.decode(all.subarray(first + 2)).answers).toHaveLength(0);
      break;
    }
  }
});
