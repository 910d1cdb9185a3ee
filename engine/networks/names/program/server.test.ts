import { createSocket, type Socket } from 'node:dgram';
import { readdirSync } from 'node:fs';
import { connect, createServer, type Socket as TcpSocket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { bindPort } from '@cleat/linux/syscall/socket';
import dns from 'dns-packet';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AnswerCache } from './cache.js';
import { FairShare } from './fair-share.js';
import { Forwarder, type Upstream } from './forward.js';
import { query, response, withEdns } from './questions.fixture.js';
import { type NameServer, serveNames } from './server.js';

const loopback = '127.0.0.1';
const bytes = Uint8Array.of(127, 0, 0, 1);
const many = Array.from({ length: 60 }, (_, at) => `10.9.0.${at + 1}`);

interface Service {
  server: NameServer;
  /** To it, from a port of its own. */
  client: Socket;
}

let questions: FairShare;
let connections: FairShare;
let forwarder: Forwarder;
let upstream: Socket;
let heard: { message: Buffer; reply(answer: Buffer): void }[];
/** The next server's work with a question; by default nothing. */
let onQuestion: (message: Buffer, reply: (answer: Buffer) => void) => void;
let upstreamAddresses: Upstream[];
let endsShort = false;
/** Names that were looked up, in all. */
let lookedUp = 0;
const services: Service[] = [];

beforeEach(async () => {
  questions = new FairShare({ total: 40, each: 25 });
  connections = new FairShare({ total: 6, each: 4 });
  upstream = createSocket('udp4');
  heard = [];
  onQuestion = () => {};
  upstream.on('message', (message, { port, address }) => {
    const reply = (answer: Buffer) => upstream.send(answer, port, address);
    heard.push({ message, reply });
    onQuestion(message, reply);
  });
  await new Promise<void>((resolve) => upstream.bind(0, loopback, resolve));
  forwarder = new Forwarder(questions, new AnswerCache(100_000), upstream.address().port);
  upstreamAddresses = [{ address: loopback, from: '' }];
  endsShort = false;
});

afterEach(() => {
  for (const { server, client } of services.splice(0)) {
    server.close();
    client.close();
  }
  forwarder.close();
  upstream.close();
});

async function start(owner: string): Promise<Service> {
  const names: Record<string, string[]> = { db: ['10.1.2.3'], six: ['fd00::1'], many };
  const sockets = { udp: bindPort('udp', bytes, 0), tcp: bindPort('tcp', bytes, 0) };
  const resolver = {
    owner,
    forwarder,
    addressesOf: (name: string) => {
      lookedUp++;
      return names[name];
    },
    nameOf: (address: string) => (address === '10.1.2.3' || address === 'fd00::1' ? 'db.own' : undefined),
    upstream: () => upstreamAddresses,
    completesShortNames: () => endsShort,
  };
  const server = await serveNames(owner, sockets, resolver, { connections });
  const client = createSocket('udp4');
  await new Promise<void>((resolve) => client.connect(server.ports.udp, loopback, resolve));
  const service = { server, client };
  services.push(service);
  return service;
}

function receive({ client }: Service): Promise<Buffer> {
  return new Promise((resolve) => client.once('message', resolve));
}

async function ask(service: Service, message: Buffer): Promise<Buffer> {
  const answer = receive(service);
  service.client.send(message);
  return await answer;
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;

describe('our own names', () => {
  test('are answered, and only with what they have', async () => {
    const service = await start('a');
    const answered = async (name: string, type: dns.RecordType) => dns.decode(await ask(service, query(name, type)));
    expect(await answered('DB', 'A')).toMatchObject({
      id: 4711,
      rcode: 'NOERROR',
      flag_rd: true,
      flag_ra: true,
      questions: [{ name: 'DB' }],
      answers: [{ name: 'DB', type: 'A', data: '10.1.2.3', ttl: 600 }],
    });
    expect(await answered('db', 'AAAA')).toMatchObject({ rcode: 'NOERROR', answers: [] });
    const any = query('db', 'A');
    any.writeUInt16BE(255, any.length - 4);
    expect(dns.decode(await ask(service, any))).toMatchObject({ answers: [{ type: 'A' }] });
    expect(await answered('six', 'AAAA')).toMatchObject({ answers: [{ data: 'fd00::1' }] });
    expect(await answered('six', 'A')).toMatchObject({ rcode: 'NOERROR', answers: [] });
    expect(await answered('db', 'MX')).toMatchObject({ rcode: 'NOERROR', answers: [] });
    expect(await answered('3.2.1.10.in-addr.arpa', 'PTR')).toMatchObject({ answers: [{ data: 'db.own' }] });
    const six = `1${'.0'.repeat(29)}.d.f.ip6.arpa`;
    expect(await answered(six, 'PTR')).toMatchObject({ answers: [{ data: 'db.own' }] });
    expect(heard).toEqual([]);
  });

  test('an answer keeps to what the client takes, and says when it was cut', async () => {
    const service = await start('a');
    const plain = await ask(service, query('many', 'A'));
    expect(plain.length).toBeLessThanOrEqual(512);
    const cut = dns.decode(plain);
    expect({ cut: cut.flag_tc, some: (cut.answers?.length ?? 0) > 10 }).toEqual({ cut: true, some: true });
    const whole = dns.decode(await ask(service, query('many', 'A', withEdns(4096))));
    expect(whole).toMatchObject({ flag_tc: false, additionals: [{ type: 'OPT', udpPayloadSize: 1232 }] });
    expect(whole.answers?.map((answer) => 'data' in answer && answer.data).sort()).toEqual([...many].sort());
    const odd = await ask(service, query('db', 'A', withEdns(4096, 1)));
    expect(dns.decode(odd)).toMatchObject({ answers: [], additionals: [{ type: 'OPT', extendedRcode: 1 }] });
  });

  test('several addresses take turns', async () => {
    const service = await start('a');
    const first = new Set<unknown>();
    for (let turn = 0; turn < 20; turn++) {
      const [answer] = dns.decode(await ask(service, query('many', 'A'))).answers ?? [];
      first.add(answer && 'data' in answer && answer.data);
    }
    expect(first.size).toBeGreaterThan(1);
  });
});

describe('messages that are no question', () => {
  test('gets the error that says so, whatever it is', async () => {
    const service = await start('a');
    const code = async (message: Buffer) => {
      const answer = await ask(service, message);
      return { id: answer.readUInt16BE(0), code: answer.readUInt8(3) & 15, isAnswer: answer.readUInt8(2) >= 128 };
    };
    const good = query('db', 'A');
    const changed = (at: number, value: number) => {
      const message = Buffer.from(good);
      message.writeUInt16BE(value, at);
      return message;
    };
    const formatError = { id: 4711, code: 1, isAnswer: true };
    expect(await code(good.subarray(0, 3))).toEqual(formatError);
    expect(await code(good.subarray(0, 12))).toEqual(formatError);
    expect(await code(good.subarray(0, -1))).toEqual(formatError);
    expect(await code(changed(4, 0))).toEqual(formatError);
    expect(await code(changed(4, 2))).toEqual(formatError);
    expect(await code(changed(6, 1))).toEqual(formatError);
    expect(await code(changed(10, 1))).toEqual(formatError);
    expect(await code(changed(12, 0xc00c))).toEqual(formatError);
    expect(await code(Buffer.concat([good, Buffer.alloc(5000)]))).toEqual(formatError);
    for (const operation of [1, 2, 4, 5, 6, 15]) {
      expect(await code(changed(2, operation << 11))).toEqual({ id: 4711, code: 4, isAnswer: true });
    }
    expect(heard).toEqual([]);
  });

  test('an answer is never answered', async () => {
    const service = await start('a');
    const answer = receive(service);
    service.client.send(response(query('db', 'A'), {}));
    service.client.send(query('db', 'AAAA'));
    expect(dns.decode(await answer)).toMatchObject({ questions: [{ type: 'AAAA' }] });
  });
});

describe('other names', () => {
  const elsewhere = query('elsewhere.test', 'A');
  const elsewhereFound = { type: 'A', name: 'elsewhere.test', data: '192.0.2.7', ttl: 0 } as const;
  const answers: dns.Answer[] = [elsewhereFound];

  test('are asked with a number of our own; only the answer to that is believed', async () => {
    const service = await start('a');
    onQuestion = (message, reply) => {
      const forged = (change: (answer: Buffer) => void) => {
        const answer = response(message, { answers: [{ type: 'A', name: 'x', data: '6.6.6.6' }] });
        change(answer);
        return answer;
      };
      reply(forged((answer) => answer.writeUInt16BE(answer.readUInt16BE(0) ^ 1, 0)));
      reply(forged((answer) => answer.writeUInt8(0x71, 14)));
      reply(forged((answer) => answer.writeUInt8(1, 2)));
      reply(Buffer.alloc(1));
      reply(response(message, { answers }));
    };
    const numbers = new Set<number>();
    for (let turn = 0; turn < 3; turn++) {
      expect(dns.decode(await ask(service, elsewhere))).toMatchObject({ id: 4711, answers });
      numbers.add(heard.at(-1)?.message.readUInt16BE(0) ?? 0);
    }
    expect(numbers.size).toBeGreaterThan(1);
  });

  test('the next server is asked when one fails; when none answers, that is said', async () => {
    const service = await start('a');
    // Nobody listens at the first one.
    upstreamAddresses = [{ address: '127.0.0.2', from: '' }, ...upstreamAddresses];
    onQuestion = (message, reply) => reply(response(message, { answers }));
    expect(dns.decode(await ask(service, elsewhere))).toMatchObject({ answers });
    onQuestion = (message, reply) => reply(response(message, { flags: 2 }));
    expect(dns.decode(await ask(service, elsewhere))).toMatchObject({ id: 4711, rcode: 'SERVFAIL' });
    upstreamAddresses = [];
    expect(dns.decode(await ask(service, elsewhere))).toMatchObject({
      id: 4711,
      rcode: 'SERVFAIL',
      questions: [{ name: 'elsewhere.test' }],
    });
  });

  test('an answer that holds is given again, also to others that ask the same servers from the same place', async () => {
    const [one, two] = [await start('a'), await start('b')];
    onQuestion = (message, reply) => reply(response(message, { answers: [{ ...elsewhereFound, ttl: 60 }] }));
    for (const service of [one, two, one]) {
      expect(dns.decode(await ask(service, query('Elsewhere.test', 'A')))).toMatchObject({
        questions: [{ name: 'Elsewhere.test' }],
        answers: [{ data: '192.0.2.7' }],
      });
    }
    expect(heard).toHaveLength(1);
    // Nothing of a name that does not hold, of another type, or of other servers.
    await ask(one, query('elsewhere.test', 'AAAA'));
    upstreamAddresses = [...upstreamAddresses, { address: '127.0.0.2', from: '' }];
    await ask(one, query('elsewhere.test', 'A'));
    expect(heard).toHaveLength(3);
  });

  test('a long answer is cut for who takes no more', async () => {
    const service = await start('a');
    const long = many.map((data) => ({ type: 'A', name: 'elsewhere.test', data }) as const);
    onQuestion = (message, reply) => reply(response(message, { answers: long }));
    const answer = await ask(service, elsewhere);
    expect(answer.length).toBeLessThanOrEqual(512);
    expect(dns.decode(answer)).toMatchObject({ flag_tc: true, answers: [] });
  });

  test('a short name waits for its search domain where the user says how many dots a name has', async () => {
    const service = await start('a');
    endsShort = true;
    expect(dns.decode(await ask(service, query('short', 'A')))).toMatchObject({ rcode: 'NOERROR', answers: [] });
    expect(heard).toEqual([]);
  });
});

describe('a flood', () => {
  test('a flood of questions that nobody answers takes few sockets, and is refused at once beyond the bound', async () => {
    const service = await start('a');
    const before = descriptors();
    let refused = 0;
    let most = 0;
    const done = new Promise<void>((resolve) => {
      service.client.on('message', (answer) => {
        if ((answer.readUInt8(3) & 15) === 2) refused++;
        most = Math.max(most, descriptors());
        if (refused === 175) resolve();
      });
    });
    for (let at = 0; at < 200; at++) service.client.send(query(`n${at}.test`, 'A'));
    await done;
    expect(questions.count).toBe(25);
    expect(most - before).toBeLessThanOrEqual(4);
    expect(dns.decode(await ask(service, query('db', 'A')))).toMatchObject({ answers: [{ data: '10.1.2.3' }] });
  });

  test('a flood of some does not keep the others from an answer', async () => {
    const greedy = [await start('a'), await start('b')];
    for (const [at, { client }] of greedy.entries()) {
      for (let n = 0; n < 100; n++) client.send(query(`n${at}-${n}.test`, 'A'));
    }
    await expect.poll(() => questions.count).toBe(40);
    const modest = await start('c');
    onQuestion = (message, reply) => reply(response(message, {}));
    expect(dns.decode(await ask(modest, query('elsewhere.test', 'A')))).toMatchObject({ rcode: 'NOERROR' });
  });
});

describe('by TCP', () => {
  const framed = (message: Buffer) => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    return Buffer.concat([length, message]);
  };
  /** The next `count` messages. */
  async function messages(socket: TcpSocket, count: number): Promise<Buffer[]> {
    const found: Buffer[] = [];
    let all = Buffer.alloc(0);
    for await (const chunk of socket) {
      all = Buffer.concat([all, chunk as Buffer]);
      while (all.length >= 2 && all.length >= 2 + all.readUInt16BE(0)) {
        found.push(all.subarray(2, 2 + all.readUInt16BE(0)));
        all = all.subarray(2 + all.readUInt16BE(0));
      }
      if (found.length >= count) break;
    }
    return found;
  }
  const reach = ({ server }: Service) => connect(server.ports.tcp, loopback);

  test('two questions in one go are answered in order, in full, and the end is answered by the end', async () => {
    const service = await start('a');
    const socket = reach(service);
    socket.end(Buffer.concat([framed(query('many', 'A')), framed(query('db', 'A'))]));
    const [first, second] = await messages(socket, 2);
    expect(first && dns.decode(first).answers).toHaveLength(many.length);
    expect(second && dns.decode(second).answers).toHaveLength(1);
  });

  test('another server is asked by TCP, too', async () => {
    const long = Array.from({ length: 100 }, (_, at) => `192.0.2.${at}`);
    const server = createServer((socket) => {
      const name = 'elsewhere.test';
      const answers = long.map((data) => ({ type: 'A', name, data }) as const);
      socket.once('data', (question) => socket.end(framed(response(question.subarray(2), { answers }))));
    });
    await new Promise<void>((resolve) => server.listen(upstream.address().port, loopback, resolve));
    try {
      const socket = reach(await start('a'));
      socket.write(framed(query('elsewhere.test', 'A')));
      const [answer] = await messages(socket, 1);
      expect(answer && dns.decode(answer)).toMatchObject({ id: 4711, rcode: 'NOERROR', flag_tc: false });
      expect(answer && dns.decode(answer).answers).toHaveLength(long.length);
    } finally {
      server.close();
    }
  });

  test('a container has so many connections, and all together; the others’ are not taken', async () => {
    const [one, two, three] = [await start('a'), await start('b'), await start('c')];
    const works = async (service: Service) => {
      const socket = reach(service);
      socket.on('error', () => {});
      socket.write(framed(query('db', 'A')));
      const answered = await new Promise<boolean>((resolve) => {
        socket.once('data', () => resolve(true));
        socket.once('close', () => resolve(false));
      });
      return { answered, socket };
    };
    const open: TcpSocket[] = [];
    const opened = async (service: Service) => {
      const { answered, socket } = await works(service);
      open.push(socket);
      return answered;
    };
    const results = [];
    for (const service of [one, one, one, one, one, two, two, two, two, three]) results.push(await opened(service));
    // Four of its own and no more; then the second takes from the first until both have as many.
    expect(results).toEqual([true, true, true, true, false, true, true, true, false, true]);
    expect(connections.count).toBe(6);
    for (const socket of open) socket.destroy();
    await expect.poll(() => connections.count).toBe(0);
  });

  test('a client that asks and never reads is asked no further', async () => {
    const service = await start('a');
    const socket = reach(service);
    socket.on('error', () => {});
    const count = 20_000;
    const lookedUpBefore = lookedUp;
    // Its answers are some 20 MB: more than the kernel holds of a connection.
    socket.write(Buffer.concat(Array<Buffer>(count).fill(framed(query('many', 'A')))));
    let latest = -1;
    while (latest !== lookedUp || lookedUp === lookedUpBefore) {
      latest = lookedUp;
      await sleep(50);
    }
    expect(lookedUp - lookedUpBefore).toBeLessThan(count);
    socket.destroy();
    await expect.poll(() => connections.count).toBe(0);
  });

  test('a client that sends too much at once is no burden', async () => {
    const service = await start('a');
    const socket = reach(service);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.write(Buffer.concat([Buffer.from([0xff, 0xff]), Buffer.alloc(5000)]));
    await closed;
    expect(connections.count).toBe(0);
  });
});
