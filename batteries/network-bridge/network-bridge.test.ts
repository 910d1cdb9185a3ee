import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Firewall } from '@cleat/linux/firewall/firewall';
import { interfaceNames, linkFacts, readSysctl, writeSysctl } from '@cleat/linux/net/facts';
import { hostLinks } from '@cleat/linux/net/links';
import { createNamespace, removeNamespace } from '@cleat/linux/net/namespace';
import { reservePort } from '@cleat/linux/net/reserve';
import { run } from '@cleat/linux/process/run';
import { linkState } from '@cleat/linux/syscall/route-links';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BridgeDriver } from './driver.js';
import { HostWatch } from './watch.js';

const tag = randomBytes(3).toString('hex');
const block = `10.90.${Number.parseInt(tag.slice(0, 2), 16) % 250}`;
const device = `cb${tag}`;
const otherDevice = `cx${tag}`;
const forwarding = `ipv4/conf/${device}/forwarding`;
const localPorts = `ipv4/conf/${device}/route_localnet`;
const context = { signal: new AbortController().signal };
let stateDir: string;
let driver: BridgeDriver;
const namespaces: string[] = [];

const open = (engineId = `unit${tag}`, firewall = true) =>
  new BridgeDriver(
    {
      engineId,
      stateDir,
      firewall,
      ipForward: true,
      directRouting: false,
      acceptMark: '',
      defaultDevice: 'cleat0',
      defaults: { icc: true, masquerade: true, hostIp: '0.0.0.0', mtu: 1500 },
    },
    silentLogger,
  );

/** A driver that a test calls killed lives on in this process: it must not look after the host. */
let unwatched: { mockRestore(): void };
beforeEach(() => {
  unwatched = vi.spyOn(HostWatch.prototype, 'start').mockImplementation(() => {});
  stateDir = mkdtempSync(join(tmpdir(), 'cleat-bridge-'));
  driver = open();
});
afterEach(async () => {
  unwatched.mockRestore();
  for (const path of namespaces.splice(0)) removeNamespace(path);
  await driver.close();
  for (const name of [device, otherDevice]) await run('ip', ['link', 'delete', name]);
  await run('nft', ['delete', 'table', 'inet', `cleat_unit${tag}`]);
  hostLinks().close();
  rmSync(stateDir, { recursive: true, force: true });
});

async function createNetwork(options: Record<string, string> = {}, six = false): Promise<void> {
  await driver.handlers().CreateNetwork(
    {
      NetworkID: 'n1',
      Options: {
        'com.docker.network.generic': { 'com.docker.network.bridge.name': device, ...options },
      },
      IPv4Data: [{ Pool: `${block}.0/24`, Gateway: `${block}.1/24` }],
      IPv6Data: six ? [{ Pool: 'fd00:90::/64', Gateway: 'fd00:90::1/64' }] : [],
    },
    context,
  );
}

/** A second network. */
async function createOther(): Promise<void> {
  const other = block.replace('10.90', '10.91');
  await driver.handlers().CreateNetwork(
    {
      NetworkID: 'n2',
      Options: { 'com.docker.network.generic': { 'com.docker.network.bridge.name': otherDevice } },
      IPv4Data: [{ Pool: `${other}.0/24`, Gateway: `${other}.1/24` }],
      IPv6Data: [],
    },
    context,
  );
}

/** The engine's work with a driver's answer, in short. */
async function join_(id: string, last: number, six = ''): Promise<(...command: string[]) => ReturnType<typeof run>> {
  const ids = { NetworkID: 'n1', EndpointID: id };
  const handlers = driver.handlers();
  const Interface = { Address: `${block}.${last}/24`, ...(six ? { AddressIPv6: `${six}/64` } : {}) };
  await handlers.CreateEndpoint({ ...ids, Interface }, context);
  const joined = await handlers.Join({ ...ids, SandboxKey: '' }, context);
  const link = joined?.InterfaceName?.SrcName ?? '';
  const path = join(stateDir, `ns-${id}`);
  namespaces.push(path);
  const session = await createNamespace(path);
  await hostLinks().run([`link set ${link} netns ${session.pid}`]);
  await session.configure([
    `link set ${link} name eth0`,
    `address add ${block}.${last}/24 dev eth0`,
    ...(six ? [`address add ${six}/64 nodad dev eth0`] : []),
    'link set eth0 up',
    `route add default via ${joined?.Gateway}`,
  ]);
  return (...command) => run('nsenter', [`--net=${path}`, ...command], { deadlineMs: 5_000 });
}

test('a device of somebody else is refused, unless the operator named it; then it is left alone', async () => {
  await run('ip', ['link', 'add', device, 'type', 'bridge']);
  await expect(createNetwork()).rejects.toThrow(`a bridge ${device} that this engine did not make exists already`);
  await createNetwork({ 'com.docker.network.bridge.default_bridge': 'true' });
  expect((await linkFacts(device))?.addresses).toContain(`${block}.1/24`);
  await driver.handlers().DeleteNetwork({ NetworkID: 'n1' }, context);
  expect(interfaceNames()).toContain(device);
  await run('ip', ['link', 'set', device, 'alias', 'cleat:another']);
  await expect(createNetwork({ 'com.docker.network.bridge.default_bridge': 'true' })).rejects.toThrow(
    `bridge ${device} belongs to another Cleat engine`,
  );
});

test('IPv6, UDP ports and --icc=false', async () => {
  await createNetwork({ 'com.docker.network.bridge.enable_icc': 'false' }, true);
  const one = await join_('e1', 2, 'fd00:90::2');
  const two = await join_('e2', 3, 'fd00:90::3');
  const ping = (from: typeof one, to: string) => from('busybox', 'ping', '-c1', '-W1', to);
  expect((await ping(one, `${block}.1`)).code).toBe(0);
  expect((await ping(two, 'fd00:90::1')).code).toBe(0);
  expect((await ping(one, `${block}.3`)).code).not.toBe(0);
  expect((await ping(two, 'fd00:90::2')).code).not.toBe(0);

  const HostPort = 20_000 + (Number.parseInt(tag, 16) % 10_000);
  const echo = `const s=require('dgram').createSocket('udp4');s.on('message',(m,f)=>s.send(m+'!',f.port,f.address)).bind(9000)`;
  const stop = new AbortController();
  const serving = run('nsenter', [`--net=${namespaces[0]}`, process.execPath, '-e', echo], { signal: stop.signal });
  serving.catch(() => {});
  // It sends before the port is published, and never pauses: its flow must be forgotten.
  const client = `const s=require('dgram').createSocket('udp4');s.on('message',m=>{console.log(''+m);process.exit()});
    setInterval(()=>s.send('hi',${HostPort},'127.0.0.1'),50);setTimeout(()=>process.exit(1),10000)`;
  const asking = run(process.execPath, ['-e', client]);
  await setTimeout(500);
  const ids = { NetworkID: 'n1', EndpointID: 'e1' };
  const Options = { 'com.docker.network.portmap': [{ Proto: 17, Port: 9000, HostIP: '', HostPort }] };
  await driver.handlers().ProgramExternalConnectivity?.({ ...ids, Options }, context);
  const info = await driver.handlers().EndpointOperInfo(ids, context);
  expect(info?.Value?.['com.docker.network.portmap']).toMatchObject([
    { HostIP: '0.0.0.0', HostPort },
    { HostIP: '::', HostPort },
  ]);
  expect((await asking).stdout).toBe('hi!\n');
  stop.abort();
});

test('a driver that was killed knows everything again, and makes anew what a reboot took', async () => {
  await createNetwork();
  const ids = { NetworkID: 'n1', EndpointID: 'e1' };
  await driver.handlers().CreateEndpoint({ ...ids, Interface: { Address: `${block}.2/24` } }, context);
  const before = await driver.handlers().Join({ ...ids, SandboxKey: '' }, context);
  await run('ip', ['link', 'delete', device]);
  await run('nft', ['delete', 'table', 'inet', `cleat_unit${tag}`]);
  driver = open();
  await driver.restore();
  expect(await driver.handlers().Join({ ...ids, SandboxKey: '' }, context)).toEqual(before);
  expect((await linkFacts(device))?.addresses).toContain(`${block}.1/24`);
  expect((await run('nft', ['list', 'table', 'inet', `cleat_unit${tag}`])).stdout).toContain(device);
  await expect(driver.handlers().DeleteNetwork({ NetworkID: 'n1' }, context)).rejects.toThrow('active endpoints');
  await driver.handlers().DeleteEndpoint(ids, context);
  await driver.handlers().DeleteEndpoint(ids, context);
  await driver.handlers().DeleteNetwork({ NetworkID: 'n1' }, context);
  expect(interfaceNames()).not.toContain(device);
  expect((await run('nft', ['list', 'table', 'inet', `cleat_unit${tag}`])).code).not.toBe(0);
});

test.each([
  ['for the first time', true],
  ['anew', undefined],
])(
  'killed while it makes a bridge %s, before that is tagged: the next one knows that it is its own',
  async (_, making) => {
    await createNetwork();
    const { mac } = (await linkFacts(device)) ?? {};
    await driver.close();
    const journal = join(stateDir, 'networks.journal');
    const [, record] = JSON.parse(readFileSync(journal, 'utf8').trim().split('\n').at(-1) ?? '') as [string, object];
    writeFileSync(journal, `${JSON.stringify(['n1', { ...record, making }])}\n`);
    for (const address of [mac, '02:00:00:00:00:01']) {
      await run('ip', ['link', 'delete', device]);
      await run('ip', ['link', 'add', 'name', device, 'address', address ?? '', 'type', 'bridge']);
      driver = open();
      await driver.restore();
      const { alias, addresses } = (await linkFacts(device)) ?? {};
      // The other is somebody else's who took the name.
      expect({ alias, addresses }).toEqual(
        address === mac ? { alias: `cleat:unit${tag}`, addresses: [`${block}.1/24`] } : { alias: '', addresses: [] },
      );
      await driver.close();
      writeFileSync(journal, `${JSON.stringify(['n1', { ...record, making }])}\n`);
    }
    driver = open();
  },
);

test('a bridge is on record before it is made', async () => {
  let recorded = '';
  const running = vi.spyOn(hostLinks(), 'run').mockResolvedValue();
  running.mockImplementationOnce(async () => {
    recorded = readFileSync(join(stateDir, 'networks.journal'), 'utf8');
  });
  await createNetwork();
  running.mockRestore();
  expect(recorded).toContain('"making":true');
});

test.each([
  [{ 'com.docker.network.driver.mtu': '' }, 'driver.mtu value:  (strconv.Atoi: parsing "": invalid syntax)'],
  [{ 'com.docker.network.driver.mtu': 'x' }, 'failed to parse com.docker.network.driver.mtu value: x'],
  [
    { 'com.docker.network.bridge.enable_icc': 'perhaps' },
    'enable_icc value: perhaps (strconv.ParseBool: parsing "perhaps": invalid syntax)',
  ],
  [{ 'com.docker.network.bridge.name': 'a name with blanks' }, 'invalid bridge name'],
  [{ 'com.docker.network.bridge.name': 'pattern%d' }, 'invalid bridge name'],
  [{ 'com.docker.network.bridge.gateway_mode_ipv4': 'odd' }, '(unknown gateway mode odd)'],
  [{ 'com.docker.network.bridge.gateway_mode_ipv6': 'isolated' }, 'can only be used for an internal network'],
])('%j is refused', async (options, message) => {
  await expect(createNetwork(options)).rejects.toThrow(message);
});

test.each(['true', 'false'])(
  'a network leaves the host with an engine whose containers have ended, and comes back with it; default: %s',
  async (isDefault) => {
    const rules = async () => (await run('nft', ['list', 'table', 'inet', `cleat_unit${tag}`])).stdout;
    await createNetwork({ 'com.docker.network.bridge.default_bridge': isDefault });
    await join_('e1', 2);
    await driver.close();
    expect(interfaceNames()).toContain(device);
    expect(await rules()).toContain(device);

    driver = open();
    await driver.restore();
    await driver.handlers().DeleteEndpoint({ NetworkID: 'n1', EndpointID: 'e1' }, context);
    await driver.close();
    expect(interfaceNames()).not.toContain(device);
    expect(await rules()).toBe('');

    driver = open();
    await driver.restore();
    expect((await linkFacts(device))?.addresses).toEqual([`${block}.1/24`]);
    expect(await rules()).toContain(device);
  },
);

test('containers are hidden behind the address that the network names', async () => {
  await createNetwork({ 'com.docker.network.host_ipv4': '192.0.2.77' });
  const { stdout } = await run('nft', ['list', 'table', 'inet', `cleat_unit${tag}`]);
  expect(stdout).toContain(`ip saddr ${block}.0/24 oifname != "${device}" snat ip to 192.0.2.77`);
});

test.each([
  ['host_ipv4', 'x', 'failed to parse com.docker.network.host_ipv4 value: x (nil ip)'],
  ['host_ipv4', '::1', 'failed to parse com.docker.network.host_ipv4 value: ::1 (no IPv4 address)'],
  ['bridge.host_binding_ipv4', 'y', 'failed to parse com.docker.network.bridge.host_binding_ipv4 value: y (nil ip)'],
  ['bridge.inhibit_ipv4', 'perhaps', 'failed to parse com.docker.network.bridge.inhibit_ipv4 value: perhaps'],
  ['bridge.trusted_host_interfaces', 'eth0:a b', 'com.docker.network.bridge.trusted_host_interfaces: a b'],
])('what cannot be served is refused: %s=%s', async (key, value, said) => {
  await expect(createNetwork({ [`com.docker.network.${key}`]: value })).rejects.toThrow(said);
  expect(interfaceNames()).not.toContain(device);
});

test('a bridge that somebody removed by hand is back with the next container, and the others are on it again', async () => {
  await createNetwork();
  const first = await join_('e1', 2);
  await run('ip', ['link', 'delete', device]);
  const second = await join_('e2', 3);
  expect((await second('busybox', 'ping', '-c1', '-W2', `${block}.2`)).code).toBe(0);
  expect((await first('busybox', 'ping', '-c1', '-W2', `${block}.1`)).code).toBe(0);
  await driver.close();
  await run('ip', ['link', 'delete', device]);
  driver = open();
  await driver.restore();
  expect((await first('busybox', 'ping', '-c1', '-W2', `${block}.3`)).code).toBe(0);
});

test('the MAC address that would come of an address is not given where somebody chose it for another container', async () => {
  await createNetwork();
  const made = (id: string, last: number, MacAddress = '') =>
    driver
      .handlers()
      .CreateEndpoint(
        { NetworkID: 'n1', EndpointID: id, Interface: { Address: `${block}.${last}/24`, MacAddress } },
        context,
      );
  const macOf = async (id: string, last: number) => (await made(id, last))?.Interface?.MacAddress ?? '';
  const third = await macOf('e3', 3);
  await driver.handlers().DeleteEndpoint({ NetworkID: 'n1', EndpointID: 'e3' }, context);
  await made('chosen', 2, third);
  const other = await macOf('e3', 3);
  expect(other).toMatch(/^02:42(:[0-9a-f]{2}){4}$/);
  expect(other).not.toBe(third);
});

test.each([
  ['fe80::/80', "'fe80::/80' clashes with the Link-Local prefix 'fe80::/64'"],
  ['ff02::/64', "multicast subnet 'ff02::/64' is not allowed"],
])('the subnet %s is refused', async (Pool, said) => {
  const created = driver.handlers().CreateNetwork({ NetworkID: 'n1', IPv4Data: [], IPv6Data: [{ Pool }] }, context);
  await expect(created).rejects.toThrow(said);
});

test('ports of a family are closed when another endpoint is its way out, and the others stay', async () => {
  await createNetwork({}, true);
  await join_('e1', 2, 'fd00:90::2');
  const ids = { NetworkID: 'n1', EndpointID: 'e1' };
  const published = async (...families: string[]) => {
    const Options = { 'com.docker.network.portmap': [{ Proto: 6, Port: 80 }], 'io.cleat.gateway.for': families };
    await driver.handlers().ProgramExternalConnectivity?.({ ...ids, Options }, context);
    const info = await driver.handlers().EndpointOperInfo(ids, context);
    return info?.Value?.['com.docker.network.portmap'] as { HostIP: string; HostPort: number }[];
  };
  const [four, six] = await published('ipv4', 'ipv6');
  expect([four?.HostIP, six?.HostIP]).toEqual(['0.0.0.0', '::']);
  expect(await published('ipv4')).toEqual([four]);
  expect(await published('ipv4', 'ipv6')).toMatchObject([four, { HostIP: '::' }]);
  expect(await published()).toEqual([]);
  expect(await published('ipv6')).toMatchObject([{ HostIP: '::' }]);
});

test('ports whose rules could not be taken away are freed when they are asked for again, also meanwhile', async () => {
  await createNetwork();
  await join_('e1', 2);
  const ids = { NetworkID: 'n1', EndpointID: 'e1' };
  const Options = { 'com.docker.network.portmap': [{ Proto: 17, Port: 53, HostIP: '127.0.0.1' }] };
  const handlers = driver.handlers();
  await handlers.ProgramExternalConnectivity?.({ ...ids, Options }, context);
  const published = async () =>
    (await handlers.EndpointOperInfo(ids, context))?.Value?.['com.docker.network.portmap'] as { HostPort: number }[];
  const [port] = await published();
  const hung = new Error('nft -f did not finish within 30000 ms');
  const spies = (['unpublish', 'apply'] as const).map((name) =>
    vi.spyOn(Firewall.prototype, name).mockRejectedValueOnce(hung),
  );
  const asked = [1, 2].map(() => Promise.resolve(handlers.RevokeExternalConnectivity?.(ids, context)));
  expect((await Promise.allSettled(asked)).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  for (const spy of spies) spy.mockRestore();
  expect(await published()).toEqual([]);
  // Nobody holds it any longer.
  reservePort('udp', '127.0.0.1', port?.HostPort ?? 0)();
});

/** Damage that somebody does, and what is there again afterwards. */
const table = `cleat_unit${tag}`;
const nft = (...args: string[]) => run('nft', args);
const published = async () => (await nft('list', 'map', 'inet', table, 'published')).stdout;
const ip = (...args: string[]) => run('ip', args);
test.each<[string, (link: string) => Promise<unknown>]>([
  ['the table is deleted', () => nft('delete', 'table', 'inet', table)],
  ['all chains of the table are flushed', () => nft('flush', 'table', 'inet', table)],
  ['one chain is flushed', () => nft('flush', 'chain', 'inet', table, 'ports')],
  ['published ports are taken out of their map', () => nft('flush', 'map', 'inet', table, 'published')],
  ['the bridge is deleted', () => ip('link', 'delete', device)],
  ['the bridge is set down', () => ip('link', 'set', device, 'down')],
  ['the bridge loses its address', () => ip('address', 'flush', 'dev', device)],
  ["a container's interface is taken off the bridge", (link) => ip('link', 'set', link, 'nomaster')],
  [
    "a container's interface is renamed",
    (link) => ip('link', 'set', link, 'down', 'name', otherDevice).then(() => ip('link', 'set', otherDevice, 'up')),
  ],
  ["a container's interface is set down", (link) => ip('link', 'set', link, 'down')],
  [
    "a setting of a container's interface is changed",
    (link) => ip(...`link set ${link} type bridge_slave hairpin off`.split(' ')),
  ],
  [
    "a container's interface is put on another bridge",
    async (link) => {
      await ip('link', 'add', otherDevice, 'type', 'bridge');
      await ip('link', 'set', link, 'master', otherDevice);
    },
  ],
  ['a setting of the kernel is switched off', async () => writeSysctl(localPorts, '0')],
  ['forwarding is switched off on the bridge', async () => writeSysctl(forwarding, '0')],
])('what is damaged is made anew: %s', async (_, damage) => {
  unwatched.mockRestore();
  await createNetwork();
  const inside = await join_('e1', 2);
  const ids = { NetworkID: 'n1', EndpointID: 'e1' };
  const HostPort = 20_000 + (Number.parseInt(tag, 16) % 10_000);
  await driver
    .handlers()
    .ProgramExternalConnectivity?.(
      { ...ids, Options: { 'com.docker.network.portmap': [{ Proto: 6, Port: 80, HostPort, HostPortEnd: HostPort }] } },
      context,
    );
  const whole = async () => ({
    ping: (await inside('busybox', 'ping', '-c1', '-W1', `${block}.1`)).code,
    rules: (await nft('list', 'chain', 'inet', table, 'ports')).stdout.includes('@published_on'),
    port: (await published()).includes(`tcp . ${HostPort} : ${block}.2 . 80`),
    fromLoopback: readSysctl(localPorts),
    forwarded: readSysctl(forwarding),
    member: memberOf(link),
  });
  const link = await outerLink();
  const good = {
    ping: 0,
    rules: true,
    port: true,
    fromLoopback: '1',
    forwarded: '1',
    member: { up: true, hairpin: true, isolated: false },
  };
  expect(await whole()).toEqual(good);
  await damage(link);
  await expect.poll(whole).toEqual(good);
});

/** The end of the one container's interface that is on the host. */
async function outerLink(): Promise<string> {
  const { stdout } = await run('ip', ['-j', 'link', 'show', 'master', device]);
  const [found] = JSON.parse(stdout) as { ifname: string }[];
  return found?.ifname ?? '';
}

function memberOf(link: string) {
  const { index: _, alias: __, master, ...state } = linkState(link) ?? { index: 0, alias: '', master: 0 };
  return master === linkState(device)?.index ? state : 'elsewhere';
}

test("another's bridge that has taken the name of ours gets no interface of a container", async () => {
  await createNetwork();
  await createOther();
  await join_('e1', 2);
  const link = await outerLink();
  await driver.close();
  await ip('link', 'delete', device);
  await ip('link', 'add', device, 'type', 'bridge');
  unwatched.mockRestore();
  driver = open();
  await driver.restore();
  await expect(join_('e2', 3)).rejects.toThrow(`a bridge ${device} that this engine did not make exists already`);
  // Two looks later.
  for (const _ of [1, 2]) {
    await ip('link', 'set', otherDevice, 'down');
    await expect.poll(() => linkState(otherDevice)?.up).toBe(true);
  }
  expect(memberOf(link)).toBe('elsewhere');
  await ip('link', 'delete', device);
  await expect.poll(() => memberOf(link)).toMatchObject({ up: true });
});

test.each<[string, () => unknown]>([
  ['IPv6 is switched off on it', () => writeSysctl(`ipv6/conf/${device}/disable_ipv6`, '1')],
  ['its link-local address is taken', () => ip('address', 'delete', 'fe80::1/64', 'dev', device)],
])('a bridge of an IPv6 network is made anew: %s', async (_, damage) => {
  unwatched.mockRestore();
  await createNetwork({}, true);
  await damage();
  const addresses = async () =>
    (await ip('-o', 'address', 'show', 'dev', device)).stdout.match(/[\da-f.:]+\/\d+/g)?.sort();
  await expect.poll(addresses).toEqual([`${block}.1/24`, 'fd00:90::1/64', 'fe80::1/64']);
});

test('a bridge that cannot be made anew does not keep the others from it', async () => {
  unwatched.mockRestore();
  await createNetwork();
  await createOther();
  // The first one is another engine's by now.
  await ip('link', 'set', device, 'alias', 'cleat:another');
  await ip('address', 'flush', 'dev', device);
  await ip('link', 'delete', otherDevice);
  await expect.poll(() => linkFacts(otherDevice)).toMatchObject({ alias: `cleat:unit${tag}`, up: true });
  expect(await linkFacts(device)).toMatchObject({ alias: 'cleat:another', addresses: [] });
  await driver.handlers().DeleteNetwork({ NetworkID: 'n2' }, context);
});

test('an interface that somebody takes off its bridge does not come back without what keeps containers apart', async () => {
  unwatched.mockRestore();
  await createNetwork({ 'com.docker.network.bridge.enable_icc': 'false' });
  await join_('e1', 2);
  const link = await outerLink();
  const good = { up: true, hairpin: true, isolated: true };
  expect(memberOf(link)).toEqual(good);
  await run('ip', ['link', 'set', link, 'nomaster']);
  await expect.poll(() => memberOf(link)).toEqual(good);
  await run('ip', `link set ${link} type bridge_slave isolated off`.split(' '));
  await expect.poll(() => memberOf(link)).toEqual(good);
});

test('a host that answers for linked containers goes on to do so, and no longer than they are linked', async () => {
  unwatched.mockRestore();
  await createNetwork({ 'com.docker.network.bridge.enable_icc': 'false' });
  await join_('e1', 2);
  await join_('e2', 3);
  const link = (...Links: { EndpointID: string; Ports: { Proto: number; Port: number }[] }[]) =>
    driver.handlers().OpenLinks?.({ NetworkID: 'n1', EndpointID: 'e1', Links }, context);
  const key = `ipv4/conf/${device}/proxy_arp_pvlan`;
  await link({ EndpointID: 'e2', Ports: [{ Proto: 6, Port: 80 }] });
  expect(readSysctl(key)).toBe('1');
  writeSysctl(key, '0');
  await expect.poll(() => readSysctl(key)).toBe('1');
  await link();
  expect(readSysctl(key)).toBe('0');
  // A look after that, which another setting tells, leaves it so.
  writeSysctl(forwarding, '0');
  await expect.poll(() => readSysctl(forwarding)).toBe('1');
  expect(readSysctl(key)).toBe('0');
});

test('bridges and interfaces are looked after where the operator wants no rules, too', async () => {
  unwatched.mockRestore();
  await driver.close();
  driver = open(undefined, false);
  await createNetwork();
  await join_('e1', 2);
  const link = await outerLink();
  await run('ip', ['link', 'set', link, 'nomaster']);
  await expect.poll(() => memberOf(link)).toMatchObject({ up: true });
  await run('ip', ['link', 'delete', device]);
  await expect.poll(() => memberOf(link)).toMatchObject({ up: true });
});

test("somebody else's bridge that is set down stays so, but containers' interfaces are put back on it", async () => {
  unwatched.mockRestore();
  await run('ip', ['link', 'add', device, 'type', 'bridge']);
  await createNetwork({ 'com.docker.network.bridge.default_bridge': 'true' });
  const inside = await join_('e1', 2);
  const link = await outerLink();
  await run('ip', ['link', 'set', device, 'down']);
  await run('ip', ['link', 'set', link, 'nomaster']);
  await expect.poll(() => memberOf(link)).toMatchObject({ up: true });
  expect(linkState(device)).toMatchObject({ up: false });
  // Its owner makes it anew, as a restart of the host's own network does.
  await run('ip', ['link', 'delete', device]);
  await run('ip', ['link', 'add', device, 'type', 'bridge']);
  await run('ip', ['link', 'set', device, 'up']);
  await expect.poll(() => memberOf(link)).toMatchObject({ up: true });
  await expect.poll(async () => (await inside('busybox', 'ping', '-c1', '-W1', `${block}.1`)).code).toBe(0);
  expect((await linkFacts(device))?.alias).toBe('');
});
