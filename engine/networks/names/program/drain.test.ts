import { createSocket } from 'node:dgram';
import { bindPort } from '@cleat/linux/syscall/socket';
import dns from 'dns-packet';
import { expect, test } from 'vitest';
import { AnswerCache } from './cache.js';
import { FairShare } from './fair-share.js';
import { Forwarder } from './forward.js';
import { withEdns } from './questions.fixture.js';
import { serveNames } from './server.js';

test('questions that come at once are answered one by one, whatever they are', async () => {
  const share = new FairShare({ total: 1000, each: 1000 });
  const forwarder = new Forwarder(share, new AnswerCache(1000));
  const loopback = Uint8Array.of(127, 0, 0, 1);
  const sockets = { udp: bindPort('udp', loopback, 0), tcp: bindPort('tcp', loopback, 0) };
  const many = Array.from({ length: 200 }, (_, at) => `10.9.0.${at}`);
  const resolver = {
    owner: 'a',
    forwarder,
    addressesOf: (name: string) => {
      if (name === 'broken') throw new Error('that was not expected');
      return { db: ['10.1.2.3'], many }[name];
    },
    nameOf: () => undefined,
    upstream: () => [],
    completesShortNames: () => false,
  };
  const server = await serveNames('a', sockets, resolver, { connections: share });
  const client = createSocket('udp4');
  try {
    await new Promise<void>((resolve) => client.connect(server.ports.udp, '127.0.0.1', resolve));
    const answers = new Map<number, unknown>();
    let heard = 0;
    client.on('message', (answer) => {
      const { id = 0, answers: found = [], ...rest } = dns.decode(answer);
      answers.set(id, found.length || ('rcode' in rest && rest.rcode));
      heard++;
    });
    const expected = new Map<number, unknown>();
    const ask = (name: string, answer: unknown, change = (message: Buffer): Buffer => message) => {
      const id = expected.size;
      expected.set(id, answer);
      client.send(change(dns.encode({ type: 'query', id, questions: [{ name, type: 'A' }], ...withEdns(4096) })));
    };
    // More than are answered in one go, and not more than the client can hold.
    for (let round = 0; round < 12; round++) {
      ask('db', 1);
      // Longer than what is sent together.
      ask('many', 200);
      ask('elsewhere.test', 'SERVFAIL');
      ask('broken', 'SERVFAIL');
      ask('db', 'FORMERR', (message) => message.subarray(0, -14));
      ask('db', 'FORMERR', (message) => Buffer.concat([message, Buffer.alloc(5000)]));
    }
    await expect.poll(() => answers.size).toBe(expected.size);
    expect([...answers].sort(([a], [b]) => a - b)).toEqual([...expected]);
    expect(heard).toBe(expected.size);
  } finally {
    client.close();
    server.close();
    forwarder.close();
  }
});
