import { createSocket, type Socket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { Socket as TcpSocket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectInside, datagramsInside } from '@cleat/linux/net/dial-inside';
import { inNetworkNamespace } from '@cleat/linux/syscall/namespace';
import { bindPort } from '@cleat/linux/syscall/socket';
import dns from 'dns-packet';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { clientOf } from './support/client.js';
import { clearEngines, type Engine, startEngine } from './support/engine.js';
import { namesPid } from './support/names.js';
import { testNeeding, uses } from './support/needs.js';
import { descriptorsOf, growthDuring } from './support/same-process.js';

/** Names of containers, as they ask for them: with the C library's resolver, and with messages made by hand. */
let engine: Engine;
const sockets: { close(): void }[] = [];
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.[Symbol.asyncDispose]());
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.close();
  await clearEngines();
});

const test = testNeeding(uses.container);
const { ok, refused } = clientOf(() => engine);
const inside = '127.0.0.11';
const run = (name: string, ...args: string[]) => ok('run', '-d', '--name', name, ...args, 'busybox', 'sleep', '1000');
const lookUp = (from: string, name: string) => engine.docker('exec', from, 'nslookup', name);
const address = (name: string, network: string) =>
  ok('inspect', '--format', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, name);
const resolvConf = async (name: string) =>
  (await ok('exec', name, 'cat', '/etc/resolv.conf')).split('\n').filter((line) => !line.startsWith('#'));

async function namespaceOf(container: string): Promise<string> {
  return `/proc/${await ok('inspect', '--format', '{{.State.Pid}}', container)}/ns/net`;
}

/** A client in a container's place. */
async function clientIn(container: string): Promise<Socket> {
  const path = await namespaceOf(container);
  const socket = createSocket('udp4');
  sockets.push(socket);
  await new Promise<void>((resolve) => socket.bind({ fd: datagramsInside(path, inside) }, resolve));
  return socket;
}

/** A name server in a container's place, on its loopback. */
async function serverIn(container: string): Promise<Socket> {
  const path = await namespaceOf(container);
  const socket = createSocket('udp4');
  sockets.push(socket);
  const fd = inNetworkNamespace(path, () => bindPort('udp', Uint8Array.of(127, 0, 0, 1), 53));
  await new Promise<void>((resolve) => socket.bind({ fd }, resolve));
  return socket;
}

const query = (name: string, type: dns.RecordType, id = 7) =>
  dns.encode({ type: 'query', id, flags: dns.RECURSION_DESIRED, questions: [{ name, type }] });

function ask(socket: Socket, message: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    socket.once('message', resolve);
    socket.send(message, 53, inside);
  });
}

async function answersOf(socket: Socket, name: string, type: dns.RecordType) {
  const { rcode, answers = [] } = dns.decode(await ask(socket, query(name, type))) as dns.DecodedPacket & {
    rcode: string;
  };
  return { rcode, data: answers.map((answer) => ('data' in answer ? answer.data : undefined)) };
}

test('an engine without networks of its users has no process for names', async () => {
  await run('plain');
  expect(namesPid(engine)).toBeUndefined();
});

describe('a network of one’s own', () => {
  test('answers at 127.0.0.11, by UDP and TCP, with names and addresses of the container’s networks', async () => {
    await ok('network', 'create', 'one');
    await ok('network', 'create', '--internal', 'two');
    // Nobody listens there: what is no name of ours fails at once.
    await run('asker', '--network', 'one', '--dns', '127.0.0.1');
    await run('db', '--network', 'one', '--network-alias', 'Store');
    expect(await resolvConf('asker')).toEqual([`nameserver ${inside}`, 'options ndots:0']);
    const ip = await address('db', 'one');
    const client = await clientIn('asker');
    for (const name of ['db', 'DB', 'store', 'db.one', 'STORE.One']) {
      expect(await answersOf(client, name, 'A')).toEqual({ rcode: 'NOERROR', data: [ip] });
    }
    expect(await answersOf(client, 'db', 'AAAA')).toEqual({ rcode: 'NOERROR', data: [] });
    const reverse = `${ip.split('.').reverse().join('.')}.in-addr.arpa`;
    expect(await answersOf(client, reverse, 'PTR')).toEqual({ rcode: 'NOERROR', data: ['db.one'] });
    expect((await ask(client, query('db', 'A').subarray(0, -1))).readUInt8(3) & 15).toBe(1);
    const stream = new TcpSocket({ fd: connectInside(await namespaceOf('asker'), inside, 53) });
    sockets.push({ close: () => stream.destroy() });
    const message = query('db', 'A');
    stream.write(Buffer.concat([Buffer.from([0, message.length]), message]));
    const [answer] = await new Promise<Buffer[]>((resolve) => stream.once('data', (chunk) => resolve([chunk])));
    expect(answer && dns.decode(answer.subarray(2)).answers).toMatchObject([{ data: ip }]);
    expect((await lookUp('asker', 'db')).stdout).toContain(ip);
    // A container that shares the namespace asks the same.
    expect(await ok('run', '--rm', '--network', 'container:asker', 'busybox', 'nslookup', 'db')).toContain(ip);

    // Changes are known at once, also on a network without a way out.
    await ok('rename', 'db', 'db2');
    expect(await answersOf(client, 'db2', 'A')).toEqual({ rcode: 'NOERROR', data: [ip] });
    expect((await answersOf(client, 'db', 'A')).rcode).toBe('SERVFAIL');
    await ok('network', 'connect', '--alias', 'again', 'two', 'db2');
    await ok('network', 'disconnect', 'one', 'db2');
    expect((await answersOf(client, 'db2', 'A')).rcode).toBe('SERVFAIL');
    await ok('network', 'connect', 'two', 'asker');
    await ok('network', 'disconnect', 'one', 'asker');
    expect(await answersOf(client, 'again.two', 'A')).toMatchObject({ data: [await address('db2', 'two')] });
    expect(await resolvConf('asker')).toContain(`nameserver ${inside}`);
  });

  test('inspect shows a container’s names on its networks, also when it does not run', async () => {
    await ok('network', 'create', 'called');
    await ok(
      'create',
      '--name',
      'it',
      '--network',
      'called',
      '--network-alias',
      'alias',
      '--hostname',
      'own',
      'busybox',
    );
    const shown = async (network: string) =>
      JSON.parse(
        await ok('inspect', '--format', `{{json (index .NetworkSettings.Networks "${network}").DNSNames}}`, 'it'),
      );
    expect(await shown('called')).toBeNull();
    await ok('start', '-a', 'it');
    const id = (await ok('inspect', '--format', '{{.Id}}', 'it')).slice(0, 12);
    expect(await shown('called')).toEqual(['it', 'alias', id, 'own']);
    await ok('network', 'connect', 'bridge', 'it');
    expect(await shown('bridge')).toBeNull();
    await ok('create', '--name', 'idle', 'busybox', 'true');
    await ok('network', 'connect', '--alias', 'late', 'called', 'idle');
    const format = '{{json .NetworkSettings.Networks.called.DNSNames}}';
    const [name, alias] = JSON.parse(await ok('inspect', '--format', format, 'idle')) as string[];
    expect([name, alias]).toEqual(['idle', 'late']);
  });

  test('--dns, --dns-search and --dns-option; the user’s servers are asked from within the container', async () => {
    await ok('network', 'create', 'one');
    const wishes = ['--dns', '127.0.0.1', '--dns-search', 'example.test', '--dns-option', 'ndots:2'];
    await run('asker', '--network', 'one', ...wishes);
    expect(await resolvConf('asker')).toEqual([`nameserver ${inside}`, 'search example.test', 'options ndots:2']);
    const server = await serverIn('asker');
    server.on('message', (message, { port, address: from }) => {
      const { id, questions } = dns.decode(message);
      const answers: dns.Answer[] = [{ type: 'A', name: questions?.[0]?.name ?? '', data: '192.0.2.9' }];
      server.send(dns.encode({ type: 'response', id, questions, answers }), port, from);
    });
    expect((await lookUp('asker', 'elsewhere')).stdout).toContain('192.0.2.9');
    expect(await answersOf(await clientIn('asker'), 'short', 'A')).toEqual({ rcode: 'NOERROR', data: [] });
    await run('plain', ...wishes);
    expect(await resolvConf('plain')).toEqual(['nameserver 127.0.0.1', 'search example.test', 'options ndots:2']);
  });
});

describe('the process that answers', () => {
  /** A name server in the container, which says the same of every name. */
  async function answerElsewhere(container: string): Promise<void> {
    const server = await serverIn(container);
    server.on('message', (message, { port, address: from }) => {
      const { id, questions } = dns.decode(message);
      const answers: dns.Answer[] = [{ type: 'A', name: questions?.[0]?.name ?? '', data: '192.0.2.9' }];
      server.send(dns.encode({ type: 'response', id, questions, answers }), port, from);
    });
  }

  test('goes on while the engine is gone, with all names; the next engine carries on', async () => {
    await ok('network', 'create', 'one');
    await run('asker', '--network', 'one', '--dns', '127.0.0.1');
    await run('db', '--network', 'one');
    await answerElsewhere('asker');
    const ip = await address('db', 'one');
    const client = await clientIn('asker');
    const process = namesPid(engine);
    await engine.kill('SIGKILL');
    expect(await answersOf(client, 'db', 'A')).toEqual({ rcode: 'NOERROR', data: [ip] });
    const reverse = `${ip.split('.').reverse().join('.')}.in-addr.arpa`;
    expect(await answersOf(client, reverse, 'PTR')).toEqual({ rcode: 'NOERROR', data: ['db.one'] });
    expect(await answersOf(client, 'elsewhere.test', 'A')).toEqual({ rcode: 'NOERROR', data: ['192.0.2.9'] });
    await engine.restart();
    await ok('rename', 'db', 'db2');
    expect(await answersOf(client, 'db2', 'A')).toEqual({ rcode: 'NOERROR', data: [ip] });
    expect(namesPid(engine)).toBe(process);
  });

  test('hosts and resolv.conf as a container has changed them stay, whatever it joins, and over a killed engine', async () => {
    for (const network of ['one', 'two', 'three']) await ok('network', 'create', network);
    await run('own', '--network', 'one');
    const edit = 'echo 192.0.2.7 mine >> /etc/hosts; echo nameserver 192.0.2.53 > /etc/resolv.conf';
    await ok('exec', 'own', 'sh', '-c', edit);
    const hosts = async () =>
      (await ok('exec', 'own', 'cat', '/etc/hosts')).split('\n').map((line) => line.split(/\s/));
    const id = (await ok('ps', '-q', '--no-trunc', '--filter', 'name=own')).slice(0, 12);
    const joined = async (...networks: string[]) => {
      const addresses = await Promise.all(networks.map((network) => address('own', network)));
      const lines = await hosts();
      expect(lines.filter(([, name]) => name === id).map(([ip]) => ip)).toEqual(addresses);
      expect(lines.filter(([, name]) => name === 'mine')).toEqual([['192.0.2.7', 'mine']]);
      expect(await resolvConf('own')).toEqual(['nameserver 192.0.2.53']);
    };
    await ok('network', 'connect', 'two', 'own');
    await joined('one', 'two');
    await engine.kill('SIGKILL');
    await engine.restart();
    await joined('one', 'two');
    await ok('network', 'disconnect', 'one', 'own');
    await ok('network', 'connect', 'three', 'own');
    await joined('two', 'three');
    await ok('restart', '-t', '0', 'own');
    expect((await hosts()).some(([, name]) => name === 'mine')).toBe(false);
    expect(await resolvConf('own')).toContain(`nameserver ${inside}`);
  });

  test('is there again when it was killed, with the engine or without', async () => {
    await ok('network', 'create', 'one');
    await run('asker', '--network', 'one');
    await run('db', '--network', 'one');
    const ip = await address('db', 'one');
    const resolves = () => expect.poll(async () => (await lookUp('asker', 'db')).stdout).toContain(ip);
    const first = namesPid(engine);
    process.kill(first ?? 0, 'SIGKILL');
    await resolves();
    expect(namesPid(engine)).not.toBe(first);
    await engine.kill('SIGKILL');
    process.kill(namesPid(engine) ?? 0, 'SIGKILL');
    await engine.restart();
    await resolves();
  });

  test('ends with the engine, unless containers outlive it', async () => {
    await ok('network', 'create', 'one');
    await run('db', '--network', 'one');
    await engine.kill('SIGTERM');
    expect(namesPid(engine)).toBeUndefined();
    expect(existsSync(join(engine.execRoot, 'names.sock'))).toBe(false);
    await engine.restart(['--live-restore']);
    await ok('start', 'db');
    const client = await clientIn('db');
    const ip = await address('db', 'one');
    await engine.kill('SIGTERM');
    expect(await answersOf(client, 'db', 'A')).toEqual({ rcode: 'NOERROR', data: [ip] });
    await engine.restart([]);
  });
});

describe('a container that floods its name server', () => {
  test('takes neither many descriptors and memory nor another’s names', async () => {
    await ok('network', 'create', 'one');
    await run('hostile', '--network', 'one', '--dns', '127.0.0.1');
    await run('other', '--network', 'one');
    await serverIn('hostile'); // It says nothing.
    const client = await clientIn('hostile');
    const process = namesPid(engine) ?? 0;
    const before = descriptorsOf(process);
    let refused = 0;
    let most = 0;
    const look = () => {
      most = Math.max(most, descriptorsOf(process) - before);
    };
    client.on('message', (answer) => {
      if ((answer.readUInt8(3) & 15) === 2) refused++;
      if (refused % 50 === 0) look();
    });
    const ip = await address('hostile', 'one');
    const growth = await growthDuring(process, async () => {
      // Some get lost on a busy machine, as datagrams may.
      for (let at = 0; at < 4000 || refused < 1000; at++) {
        client.send(query(`n${at}.test`, 'A', at % 65_536), 53, inside);
        if (at % 100 === 0) await sleep(1);
      }
      // By TCP with as many questions as each takes, of which no answer is read.
      const message = query('other', 'A');
      const questions = Buffer.concat(Array(4000).fill(Buffer.concat([Buffer.from([0, message.length]), message])));
      const namespace = await namespaceOf('hostile');
      for (let at = 0; at < 60; at++) {
        const stream = new TcpSocket({ fd: connectInside(namespace, inside, 53) });
        sockets.push({ close: () => stream.destroy() });
        stream.on('error', () => {});
        stream.write(questions);
      }
      expect((await lookUp('other', 'hostile')).stdout).toContain(ip);
      look();
    });
    expect(most).toBeLessThan(64);
    expect(growth).toBeLessThan(64 * 1024 * 1024);
    expect((await lookUp('hostile', 'other')).stdout).toContain(await address('other', 'one'));
  });
});

describe('the network that a name means', () => {
  interface Shown {
    HostConfig: { NetworkMode: string };
    NetworkSettings: { Networks: Record<string, { NetworkID: string; IPAddress: string }> };
  }
  const networksOf = async (name: string) => {
    const [shown] = JSON.parse(await ok('inspect', name)) as Shown[];
    return Object.keys(shown?.NetworkSettings.Networks ?? {}).sort();
  };
  const create = async (name: string, body: object) => {
    const { status } = await engine.api('POST', `/containers/create?name=${name}`, {
      Image: 'busybox',
      Cmd: ['sleep', '1000'],
      ...body,
    });
    expect(status).toBe(201);
  };

  test('a network that is called like the beginning of another’s ID is itself', async () => {
    const id = await ok('network', 'create', 'first');
    const prefix = id.slice(0, 6);
    await ok('network', 'create', prefix);
    await run('both', '--network', 'first');
    await ok('network', 'connect', prefix, 'both');
    expect(await networksOf('both')).toEqual([prefix, 'first'].sort());
    await ok('network', 'disconnect', prefix, 'both');
    expect(await networksOf('both')).toEqual(['first']);
    await ok('network', 'connect', prefix, 'both');
    await ok('stop', '-t', '0', 'both');
    await ok('network', 'disconnect', 'first', 'both');
    expect(await networksOf('both')).toEqual([prefix]);
    await ok('start', 'both');
    expect(await networksOf('both')).toEqual([prefix]);
    // By the beginning of an ID, too, and inspect says which one that is.
    await run('short', '--network', id.slice(0, 9));
    expect(await networksOf('short')).toEqual(['first']);
    expect(await ok('inspect', '-f', '{{.HostConfig.NetworkMode}}', 'short')).toBe(id);
  });

  test('a container that is called like the beginning of another’s ID is itself', async () => {
    const id = await run('first');
    const prefix = id.slice(0, 6);
    const named = await run(prefix);
    await ok('create', '--name', 'guest', '--network', `container:${prefix}`, 'busybox', 'true');
    expect(await ok('inspect', '-f', '{{.HostConfig.NetworkMode}}', 'guest')).toBe(`container:${named}`);
    await ok('network', 'create', 'own');
    await ok('network', 'connect', 'own', prefix);
    expect([await networksOf(prefix), await networksOf('first')]).toEqual([['bridge', 'own'], ['bridge']]);
    await ok('rm', '-f', prefix);
    expect(await ok('inspect', '-f', '{{.Id}}', prefix)).toBe(id);
  });

  test('the networks of a create request are those that it names, and no other', async () => {
    for (const name of ['one', 'two']) await ok('network', 'create', name);
    const two = await ok('network', 'inspect', '-f', '{{.Id}}', 'two');
    await create('cc', { NetworkingConfig: { EndpointsConfig: { one: {}, [two.slice(0, 12)]: {} } } });
    expect(await networksOf('cc')).toEqual(['one', 'two']);
    await ok('start', 'cc');
    expect(await networksOf('cc')).toEqual(['one', 'two']);
    await create('dd', { HostConfig: { NetworkMode: 'one' }, NetworkingConfig: { EndpointsConfig: { two: {} } } });
    await ok('start', 'dd');
    expect(await networksOf('dd')).toEqual(['two']);
  });

  test('a network that took the name of another is not taken for it', async () => {
    await ok('network', 'create', 'own');
    await ok('create', '--name', 'cc', '--network', 'own', 'busybox', 'sleep', '1000');
    const former = await ok('network', 'inspect', '-f', '{{.Id}}', 'own');
    await ok('network', 'rm', 'own');
    await ok('network', 'create', 'own');
    expect(await refused('start', 'cc')).toContain(`network ${former} not found`);
    // It asks for the former one, whose name the new one has: that name takes it off, and puts it on the new one.
    await ok('network', 'disconnect', 'own', 'cc');
    expect(await networksOf('cc')).toEqual([]);
    await ok('network', 'connect', 'own', 'cc');
    await ok('start', 'cc');
    expect(await networksOf('cc')).toEqual(['own']);
  });

  test('disconnect takes a container that does not run off a network that is gone, and nothing else is forgiven', async () => {
    await ok('network', 'create', 'gone');
    await ok('network', 'create', 'there');
    await ok('create', '--name', 'cc', '--network', 'gone', 'busybox', 'sleep', '1000');
    await ok('network', 'rm', 'gone');
    expect(await refused('start', 'cc')).toMatch(/network \w+ not found/);
    expect(await refused('network', 'disconnect', '-f', 'there', 'cc')).toContain(
      'is not connected to the network there',
    );
    expect(await refused('network', 'disconnect', '-f', 'never', 'cc')).toContain(
      'is not connected to the network never',
    );
    await ok('network', 'disconnect', 'gone', 'cc');
    await ok('start', 'cc');
    expect(await networksOf('cc')).toEqual([]);
    expect(await ok('exec', 'cc', 'ls', '/sys/class/net')).toBe('lo');
    for (const force of [[], ['-f']]) {
      expect(await refused('network', 'disconnect', ...force, 'there', 'cc')).toContain(
        'is not connected to network there',
      );
    }
    await ok('network', 'connect', 'there', 'cc');
    await ok('network', 'disconnect', '-f', 'there', 'cc');
    await ok('restart', '-t', '0', 'cc');
    expect(await networksOf('cc')).toEqual([]);
  });

  test('a container that does not run is connected to a network that is made later, as under a stock engine', async () => {
    await ok('create', '--name', 'cc', 'busybox', 'sleep', '1000');
    await ok('network', 'connect', '--alias', 'also', 'later', 'cc');
    expect(await networksOf('cc')).toEqual(['bridge', 'later']);
    expect(await refused('start', 'cc')).toContain('network later not found');
    await ok('network', 'create', 'later');
    await ok('start', 'cc');
    expect(await ok('exec', 'cc', 'nslookup', 'also')).toContain('also');
    for (const words of ['connect', 'disconnect', 'disconnect -f']) {
      expect(await refused('network', ...words.split(' '), 'never', 'cc')).toMatch(
        /network never not found|is not connected to the network never/,
      );
    }
    await ok('create', '--name', 'dd', '--network', 'host', 'busybox', 'true');
    expect(await refused('network', 'connect', 'never', 'dd')).toContain('cannot be connected to any other network');
  });

  test('link-local addresses are set, also by connect; others are refused', async () => {
    await ok('network', 'create', 'own');
    await run('cc', '--network', 'own', '--link-local-ip', '169.254.8.8', '--link-local-ip', 'fe80::9');
    const shown = await ok('exec', 'cc', 'ip', 'address', 'show', 'dev', 'eth0');
    expect(shown).toContain('inet 169.254.8.8/16');
    expect(shown).toContain('inet6 fe80::9/64');
    await ok('network', 'create', 'more');
    await ok('network', 'connect', '--link-local-ip', '169.254.9.9', 'more', 'cc');
    expect(await ok('exec', 'cc', 'ip', 'address', 'show', 'dev', 'eth1')).toContain('inet 169.254.9.9/16');
    for (const bad of ['10.99.0.1', '2001:db8::1']) {
      const why = await refused('create', '--network', 'own', '--link-local-ip', bad, 'busybox');
      expect(why).toContain(`invalid link-local IP address: ${bad}`);
    }
  });
});
