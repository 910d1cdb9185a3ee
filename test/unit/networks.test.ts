import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerId } from '@cleat/engine/ids';
import { interfaceNames } from '@cleat/linux/net/facts';
import { run } from '@cleat/linux/process/run';
import { expect, test } from 'vitest';
import {
  attached,
  close,
  device,
  events,
  get,
  kill,
  networks,
  networksForTests,
  open,
  played,
  request,
  root,
  serveInside,
  store,
  third,
} from './networks.fixture.js';

/** Networks over the real batteries, the real kernel and nothing else: what is checked is what containers would see. */
networksForTests();

test('two containers reach each other, and nothing is left of them', async () => {
  const one = await attached('one');
  const two = await attached('two');
  const address = networks.settings(two.id).networks.bridge?.IPAddress ?? '';
  expect(address).toBe(`10.93.${third}.3`);
  expect((await one.inside('busybox', 'ping', '-c1', '-W2', address)).code).toBe(0);
  const links = await one.inside('ip', '-br', 'address');
  expect(links.stdout).toMatch(new RegExp(`^eth0@\\S+ +UP +10\\.93\\.${third}\\.2/24 *$`, 'm'));
  expect(links.stdout).toMatch(/^lo .*127\.0\.0\.1/m);
  expect(readFileSync(one.sandbox.hostsPath, 'utf8')).toContain(`10.93.${third}.2\tone\n`);
  await networks.detach(one.id);
  await networks.detach(two.id);
  expect(existsSync(one.path)).toBe(false);
  const left = async () => (await run('ip', ['-br', 'link', 'show', 'master', device])).stdout;
  for (let tries = 0; tries < 1200 && (await left()) !== ''; tries++) await sleep(50);
  expect(await left()).toBe('');
  expect(events.map(({ action, attributes }) => `${action} ${attributes.name}`)).toEqual([
    'connect bridge',
    'connect bridge',
    'disconnect bridge',
    'disconnect bridge',
  ]);
});

test('a published port is reached from the host and from loopback, and nobody gets it twice', async () => {
  const port = 20_000 + third * 10;
  const server = await attached('server', {
    portBindings: { '80/tcp': [{ HostPort: String(port) }], '81/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
    exposedPorts: ['80/tcp', '9/udp'],
  });
  const stop = serveInside(server.path, 80, 'hello');
  const stopOther = serveInside(server.path, 81, 'local');
  try {
    expect(await get(`http://127.0.0.1:${port}/`)).toBe('hello');
    expect(await get(`http://10.93.${third}.1:${port}/`)).toBe('hello');
    const { ports } = networks.settings(server.id);
    expect(ports['80/tcp']).toContainEqual({ HostIp: '0.0.0.0', HostPort: String(port) });
    expect(ports['9/udp']).toBeNull();
    const local = ports['81/tcp']?.[0]?.HostPort ?? '';
    expect(await get(`http://127.0.0.1:${local}/`)).toBe('local');

    const client = await attached('client');
    const ask = (url: string) => client.inside('curl', '-s', '-m2', url);
    expect((await ask(`http://10.93.${third}.1:${port}/`)).stdout).toBe('hello');
    // A port that is published on loopback is the host's alone, also through its other addresses.
    expect((await ask(`http://10.93.${third}.1:${local}/`)).code).not.toBe(0);
    // Nor does a container reach the host's own loopback, whatever it does with its routes.
    const loopback = createServer((_, answer) => answer.end('secret'));
    await new Promise<void>((resolve) => loopback.listen(port + 1, '127.0.0.1', resolve));
    const trick = `ip address del 127.0.0.1/8 dev lo; echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet
      ip route add 127.0.0.1 via 10.93.${third}.1 dev eth0 && curl -s -m2 http://127.0.0.1:${port + 1}/`;
    const tricked = await client.inside('sh', '-c', trick);
    loopback.close();
    expect(tricked.stdout).toBe('');
    expect(tricked.code).toBe(28);

    await expect(attached('late', { portBindings: { '80/tcp': [{ HostPort: String(port) }] } })).rejects.toThrow(
      new RegExp(
        `driver failed programming external connectivity on endpoint late \\(\\w+\\): Bind for 0.0.0.0:${port} failed: port is already allocated`,
      ),
    );
    expect(networks.settings(request('late').containerId).networks).toEqual({});
    await expect(new Promise((_, reject) => createServer().once('error', reject).listen(port))).rejects.toThrow(
      'EADDRINUSE',
    );
  } finally {
    await stop();
    await stopOther();
  }
  await networks.detach(server.id);
  const free = createServer();
  await new Promise<void>((resolve) => free.listen(port, resolve));
  free.close();
});

test('user-defined networks: names, aliases, isolation, fixed addresses', async () => {
  const created = await networks.create({ Name: 'front', IPAM: { Config: [{ Subnet: `10.94.${third}.0/24` }] } });
  await networks.create({ Name: 'back', IPAM: { Config: [{ Subnet: `10.95.${third}.0/24` }] }, Internal: true });
  await expect(networks.create({ Name: 'front' })).rejects.toThrow('network with name front already exists');
  await expect(networks.create({ Name: 'x', IPAM: { Config: [{ Subnet: `10.94.${third}.0/25` }] } })).rejects.toThrow(
    'Pool overlaps with other one on this address space',
  );

  const db = await attached('db', {
    networkMode: 'front',
    endpoints: { front: { Aliases: ['store'], IPAMConfig: { IPv4Address: `10.94.${third}.77` } } },
  });
  const web = await attached('web', { networkMode: 'front', endpoints: { front: {} } });
  const hidden = await attached('hidden', { networkMode: 'back', endpoints: { back: {} } });
  expect(readFileSync(web.sandbox.resolvConfPath, 'utf8')).toContain(`nameserver 127.0.0.11\n`);
  const look = async (name: string) => (await web.inside('busybox', 'nslookup', name, '127.0.0.11')).stdout;
  for (const name of ['db', 'store', 'DB', db.id.slice(0, 12)]) {
    expect(await look(name)).toContain(`Address: 10.94.${third}.77`);
  }
  expect(await look(`10.94.${third}.77`)).toContain('name = db.front');
  expect(await look('hidden')).not.toContain('Address: 10.95.');

  const hiddenIp = networks.settings(hidden.id).networks.back?.IPAddress ?? '';
  expect((await web.inside('busybox', 'ping', '-c1', '-W1', hiddenIp)).code).not.toBe(0);
  await networks.connect(
    networks.resolve('back').id,
    { ...request('web', { networkMode: 'front' }), running: true, pid: 0 },
    {},
  );
  expect((await web.inside('busybox', 'ping', '-c1', '-W2', hiddenIp)).code).toBe(0);
  expect(await look('hidden')).toContain(`Address: ${hiddenIp}`);
  await expect(networks.remove('back')).rejects.toThrow('has active endpoints');
  await networks.disconnect(networks.resolve('back').id, web.id);
  expect((await web.inside('ip', '-br', 'link')).stdout).not.toContain('eth1');

  await networks.rename(db.id, 'database');
  expect(await look('database')).toContain(`10.94.${third}.77`);
  for (const { id } of [db, web, hidden]) await networks.detach(id);
  await networks.remove(created.Id.slice(0, 8));
  expect(interfaceNames()).not.toContain(`br-${created.Id.slice(0, 12)}`);
});

test('the subnet of a family that is off is shown, and not used', async () => {
  const [four, six] = [{ Subnet: `10.96.${third}.8/29` }, { Subnet: `fd96:${third}::/64` }];
  const { Id } = await networks.create({ Name: 'off', EnableIPv6: false, IPAM: { Config: [six, four] } });
  expect((await networks.inspect(Id)).IPAM.Config).toEqual([{ ...four, Gateway: `10.96.${third}.9` }, six]);
  const one = await attached('one', { networkMode: 'off', endpoints: { off: {} } });
  expect(networks.settings(one.id).networks.off?.GlobalIPv6Address).toBe('');
  await networks.detach(one.id);
  await networks.remove('off');
});

test('an address that a user chose for a container is left to it, unless there is no other', async () => {
  await networks.create({ Name: 'narrow', IPAM: { Config: [{ Subnet: `10.96.${third}.0/29` }] } });
  const on = (name: string) => attached(name, { networkMode: 'narrow', endpoints: { narrow: {} } });
  const addressOf = async ({ id }: { id: ContainerId }) => networks.settings(id).networks.narrow?.IPAddress;
  played.promised = [2, 3, 5].map((host) => `10.96.${third}.${host}`);
  // They start in any order, as after a reboot.
  const [one, owner, two] = await Promise.all([
    on('one'),
    attached('owner', {
      networkMode: 'narrow',
      endpoints: { narrow: { IPAMConfig: { IPv4Address: `10.96.${third}.3` } } },
    }),
    on('two'),
  ]);
  const first = [one, two];
  expect((await Promise.all(first.map(addressOf))).toSorted()).toEqual([`10.96.${third}.4`, `10.96.${third}.6`]);
  expect(await addressOf(owner)).toBe(`10.96.${third}.3`);
  const late = [await on('three'), await on('four')];
  expect((await Promise.all(late.map(addressOf))).toSorted()).toEqual([`10.96.${third}.2`, `10.96.${third}.5`]);
  await expect(on('five')).rejects.toThrow("no available IPv4 addresses on this network's address pools");
  for (const { id } of [...first, owner, ...late]) await networks.detach(id);
  await networks.remove('narrow');
});

test('names resolve within the container itself, also where every way out is somebody else’s', async () => {
  const { Id } = await networks.create({ Name: 'far', IPAM: { Config: [{ Subnet: `10.91.${third}.0/24` }] } });
  const leaveToOthers = () => run('ip', ['address', 'flush', 'dev', `br-${Id.slice(0, 12)}`]);
  await leaveToOthers();
  const db = await attached('db', { networkMode: 'far', endpoints: { far: { Aliases: ['store'] } } });
  const web = await attached('web', { networkMode: 'far' });
  const address = networks.settings(db.id).networks.far?.IPAddress ?? '';
  expect(readFileSync(web.sandbox.resolvConfPath, 'utf8')).toContain('nameserver 127.0.0.11\n');
  const look = async (name: string) => (await web.inside('busybox', 'nslookup', name, '127.0.0.11')).stdout;
  for (const name of ['db', 'store']) expect(await look(name)).toContain(`Address: ${address}`);
  expect(await look(address)).toContain('name = db.far');
  // Port 53 is the container's: it may be a name server itself.
  const stop = serveInside(web.path, 53, 'mine');
  const fetched = await web.inside('busybox', 'sh', '-c', 'until busybox wget -qO- http://127.0.0.1:53/; do :; done');
  expect(fetched.stdout).toBe('mine');
  await stop();
  expect(await look('db')).toContain(`Address: ${address}`);

  await store.flush();
  await close();
  // They outlive the engine.
  expect(await look('db')).toContain(address);
  await open();
  await leaveToOthers();
  for (const { id } of [db, web]) await networks.adopt(id);
  expect(await look('store')).toContain(`Address: ${address}`);
  for (const { id } of [db, web]) await networks.detach(id);
  await networks.remove('far');
});

test('a container that is given up while its networks are being made leaves nothing', async () => {
  const wanted = request('hasty', { portBindings: { '80/tcp': [{ HostPort: '' }] } });
  const sandbox = await networks.attach(wanted);
  await networks.detach(wanted.containerId);
  // It was stopped, or had come too far.
  const made = await sandbox.ready.then(
    () => true,
    () => false,
  );
  expect(networks.settings(wanted.containerId).networks).toEqual({});
  expect((await networks.inspect('bridge')).Containers).toEqual({});
  expect(events.map(({ action }) => action)).toEqual(made ? ['connect', 'disconnect'] : []);
  expect(sandbox.namespace.kind === 'path' && existsSync(sandbox.namespace.path)).toBe(false);
});

test('a driver of Docker’s protocol: its interface is moved in and back, and what it does not take back is asked again', async () => {
  await networks.create({ Name: 'plain', Driver: 'plain', IPAM: { Config: [{ Subnet: `10.91.${third}.0/24` }] } });
  const one = await attached('one', { networkMode: 'plain' });
  expect((await one.inside('busybox', 'ping', '-c1', '-W2', `10.91.${third}.1`)).code).toBe(0);
  const { Id } = await networks.inspect('plain');
  const onBridge = async () =>
    (await run('ip', ['-br', 'link', 'show', 'master', `br-${Id.slice(0, 12)}`])).stdout.split(/[@\s]/)[0] ?? '';
  const outer = await onBridge();
  played.failing = 'DeleteEndpoint';
  await networks.detach(one.id);
  // Its other end is back on the host, where its driver looks for it.
  expect(await onBridge()).toBe(outer);
  played.failing = undefined;
  await networks.remove('plain');
  expect(interfaceNames()).not.toContain(outer);

  await networks.create({ Name: 'plain', Driver: 'plain' });
  played.failing = 'Join';
  await expect(attached('two', { networkMode: 'plain' })).rejects.toThrow('Join failed');
  expect(networks.settings(request('two').containerId).sandboxId).toBe('');
  await networks.remove('plain');
});

test('none, host and another container', async () => {
  const none = await networks.attach(request('alone', { networkMode: 'none' }));
  expect(none.namespace).toEqual({ kind: 'own' });
  expect(networks.settings(request('alone').containerId).networks).toHaveProperty('none');
  const host = await networks.attach(request('hosted', { networkMode: 'host' }));
  expect(host.namespace).toEqual({ kind: 'host' });
  const first = await attached('first');
  played.findContainer = (ref) => (ref === 'first' ? { id: first.id, name: 'first', pid: 1 } : undefined);
  const joined = await networks.attach(request('second', { networkMode: 'container:first' }));
  expect(joined.namespace).toEqual({ kind: 'path', path: first.path });
  expect(joined.hostsPath).toBe(first.sandbox.hostsPath);
  await networks.detach(request('second').containerId);
  expect((await first.inside('true')).code).toBe(0);
  await expect(networks.attach(request('third', { networkMode: 'container:gone' }))).rejects.toThrow(
    'joining network namespace of container: No such container: gone',
  );
});

test('after a kill the next engine serves on, and takes away what nobody uses', async () => {
  const port = 30_000 + third * 10;
  const kept = await attached('kept', { portBindings: { '80/tcp': [{ HostPort: String(port) }] } });
  const lost = await attached('lost');
  const before = networks.settings(kept.id);
  await store.flush();
  // No detach, no farewell: only what a kill would free as well.
  await close();
  await open();
  await networks.adopt(kept.id);
  await networks.reconcile(new Set([kept.id]));
  expect(networks.settings(kept.id)).toEqual(before);
  expect(existsSync(lost.path)).toBe(false);
  const stop = serveInside(kept.path, 80, 'still here');
  expect(await get(`http://127.0.0.1:${port}/`)).toBe('still here');
  await stop();
  const next = await attached('next');
  expect(networks.settings(next.id).networks.bridge?.IPAddress).toBe(`10.93.${third}.3`);
});

test('the end of a connection is told once, also when a kill cuts it short', async () => {
  await networks.create({ Name: 'plain', Driver: 'plain' });
  const one = await attached('one', { networkMode: 'plain' });
  played.hanging = 'Leave';
  void networks.detach(one.id);
  const told = () => events.filter(({ action }) => action === 'disconnect').length;
  await expect.poll(told).toBe(1);
  await kill();
  await networks.reconcile(new Set());
  expect(networks.settings(one.id).sandboxId).toBe('');
  expect(told()).toBe(1);
  await networks.remove('plain');
});

test('a connection that nobody was told of has no end to tell', async () => {
  const one = await attached('one');
  await store.flush();
  await close();
  // The record was written, and then the engine was killed.
  events.length = 0;
  await open();
  await networks.reconcile(new Set());
  expect(networks.settings(one.id).sandboxId).toBe('');
  expect(events).toEqual([]);
});

test('an address that was given to an engine that was killed before it heard of it is given back', async () => {
  const subnet = { Subnet: `10.94.${third}.0/29` };
  await networks.create({ Name: 'front', IPAM: { Config: [subnet] } });
  played.lost = 'RequestAddress';
  void networks.attach(request('one', { networkMode: 'front' })).catch(() => {});
  const taken = () => readFileSync(join(root, 'ipam', 'pools.journal'), 'utf8').includes(`10.94.${third}.2`);
  await expect.poll(taken).toBe(true);
  await kill();
  await networks.reconcile(new Set());
  const two = await attached('two', {
    networkMode: 'front',
    endpoints: { front: { IPAMConfig: { IPv4Address: `10.94.${third}.2` } } },
  });
  await networks.detach(two.id);
  await networks.remove('front');

  played.lost = 'RequestPool';
  void networks.create({ Name: 'front', IPAM: { Config: [subnet] } }).catch(() => {});
  await sleep(50);
  await kill();
  await networks.create({ Name: 'front', IPAM: { Config: [subnet] } });
  await networks.remove('front');
});

test('drivers that lost their state are told again', async () => {
  const one = await attached('one');
  await store.flush();
  await close();
  rmSync(join(root, 'ipam'), { recursive: true });
  rmSync(join(root, 'bridge'), { recursive: true });
  await open();
  await networks.adopt(one.id);
  const two = await attached('two');
  expect(networks.settings(two.id).networks.bridge?.IPAddress).toBe(`10.93.${third}.3`);
  const address = networks.settings(one.id).networks.bridge?.IPAddress ?? '';
  expect((await two.inside('busybox', 'ping', '-c1', '-W2', address)).code).toBe(0);
});

test('an impossible request is refused in the words that clients know', async () => {
  await expect(networks.inspect('nowhere')).rejects.toThrow('network nowhere not found');
  await expect(networks.remove('host')).rejects.toThrow('host is a pre-defined network and cannot be removed');
  await expect(networks.list({ foo: ['x'] })).rejects.toThrow("invalid filter 'foo'");
  await expect(networks.create({ Name: 'h2', Driver: 'host' })).rejects.toThrow(
    'only one instance of "host" network is allowed',
  );
  await expect(networks.create({ Name: 'x', Driver: 'nope' })).rejects.toThrow('plugin "nope" not found');
  await expect(networks.create({ Name: 'x', IPAM: { Config: [{ Subnet: '10.96.1.1/24' }] } })).rejects.toThrow(
    'invalid network config:\ninvalid subnet 10.96.1.1/24: it should be 10.96.1.0/24',
  );
  expect(() => networks.requested('default', { bridge: { Aliases: ['x'] } })).toThrow(
    'network-scoped aliases are only supported for user-defined networks',
  );
  expect(networks.isBridgeAddress(`10.93.${third}.1`)).toBe(true);
  expect(networks.isBridgeAddress('127.0.0.1')).toBe(false);
});

test.skipIf(process.env.CLEAT_NESTED)(
  'beside a firewall that drops what is forwarded, as a dockerd leaves it',
  async () => {
    const script = `ip link set lo up; iptables -P FORWARD DROP; iptables -N DOCKER-USER
      iptables -A FORWARD -j DOCKER-USER; iptables -A DOCKER-USER -j RETURN
      exec npx vitest run --project unit test/unit/networks -t 'user-defined'`;
    const env = { ...process.env, CLEAT_NESTED: '1' };
    const nested = await run('unshare', ['--net', 'sh', '-c', script], { env, deadlineMs: 60_000 });
    expect(nested.stdout + nested.stderr).toContain('1 passed');
    expect(nested.code).toBe(0);
  },
  240_000,
);
