import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { interfaceNames, linkFacts, readSysctl } from '@cleat/linux/net/facts';
import { hostLinks } from '@cleat/linux/net/links';
import { run } from '@cleat/linux/process/run';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BridgeDriver } from './driver.js';

/** A bridge that somebody else made, with a port that leads away: as it is with a network card. */
const tag = randomBytes(3).toString('hex');
const device = `cw${tag}`;
const card = `cp${tag}`;
const block = '10.254.7';
const context = { signal: new AbortController().signal };
const option = (name: string) => `com.docker.network.bridge.${name}`;
const asIs = { [option('inhibit_ipv4')]: 'true', [option('gateway_mode_ipv4')]: 'routed' };
let stateDir: string;
let driver: BridgeDriver;

const open = (icc = true) =>
  new BridgeDriver(
    {
      engineId: `lent${tag}`,
      stateDir,
      firewall: true,
      ipForward: true,
      directRouting: false,
      acceptMark: '',
      defaultDevice: 'cleat0',
      defaults: { icc, masquerade: true, hostIp: '0.0.0.0', mtu: 1500 },
    },
    silentLogger,
  );

async function ip(...args: string[]): Promise<void> {
  expect(await run('ip', args)).toMatchObject({ code: 0 });
}

async function makeBridge(): Promise<void> {
  await ip('link', 'add', device, 'type', 'bridge');
  await ip('link', 'set', card, 'master', device);
  await ip('link', 'set', device, 'addrgenmode', 'none', 'up');
  await ip('address', 'add', `${block}.9/24`, 'dev', device);
}

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'cleat-lent-'));
  const far = ['peer', 'name', `cq${tag}`, 'mtu', '9000'];
  await ip('link', 'add', card, 'address', '52:54:00:00:00:01', 'mtu', '9000', 'type', 'veth', ...far);
  await ip('link', 'set', card, 'addrgenmode', 'none', 'up');
  await makeBridge();
  driver = open();
});
afterEach(async () => {
  for (const id of ['e1', 'e2']) await driver.handlers().DeleteEndpoint({ NetworkID: 'n1', EndpointID: id }, context);
  await driver.handlers().DeleteNetwork({ NetworkID: 'n1' }, context);
  await driver.close();
  for (const link of [device, card]) await run('ip', ['link', 'delete', link]);
  hostLinks().close();
  rmSync(stateDir, { recursive: true, force: true });
});

const create = async (options: Record<string, string> = {}, more: object = {}, six = false) =>
  await driver.handlers().CreateNetwork(
    {
      NetworkID: 'n1',
      Options: { 'com.docker.network.generic': { [option('name')]: device, ...options }, ...more },
      IPv4Data: [{ Pool: `${block}.0/24`, Gateway: `${block}.1/24` }],
      IPv6Data: six ? [{ Pool: 'fd00:90::/64', Gateway: 'fd00:90::1/64' }] : [],
    },
    context,
  );
const ids = (id: string) => ({ NetworkID: 'n1', EndpointID: id });
async function joined(id: string, last: number): Promise<{ link: string; gateway: string }> {
  await driver.handlers().CreateEndpoint({ ...ids(id), Interface: { Address: `${block}.${last}/24` } }, context);
  return await join_(id);
}
async function join_(id: string): Promise<{ link: string; gateway: string }> {
  const answer = await driver.handlers().Join({ ...ids(id), SandboxKey: '' }, context);
  return { link: answer?.InterfaceName?.SrcName ?? '', gateway: answer?.Gateway ?? '' };
}
/** Names of the bridge's ports. */
async function ports(): Promise<string[]> {
  const { stdout } = await run('ip', ['-j', 'link', 'show', 'master', device]);
  return (JSON.parse(stdout || '[]') as { ifname: string }[]).map(({ ifname }) => ifname).filter((one) => one !== card);
}

test.each<[string, Record<string, string>, object, boolean, string]>([
  ['without both options', {}, {}, false, `give -o ${option('inhibit_ipv4')}=true -o ${option('gateway_mode_ipv4')}=`],
  ['with NAT', { [option('inhibit_ipv4')]: '1' }, {}, false, `give -o ${option('gateway_mode_ipv4')}=routed`],
  ['with an address', { [option('gateway_mode_ipv4')]: 'routed' }, {}, false, `give -o ${option('inhibit_ipv4')}=true`],
  ['as internal', asIs, { 'com.docker.network.internal': true }, false, 'leave out --internal'],
  ['with IPv6', asIs, {}, true, 'leave out --ipv6'],
  ['with containers apart', { ...asIs, [option('enable_icc')]: 'false' }, {}, false, 'enable_icc=true'],
  ['with larger packets', { ...asIs, 'com.docker.network.driver.mtu': '9001' }, {}, false, 'of up to 9000'],
])('a bridge of somebody else is refused %s', async (_, options, more, six, message) => {
  const before = await linkFacts(device);
  await expect(create(options, more, six)).rejects.toThrow(message);
  expect(await linkFacts(device)).toEqual(before);
});

test('it is used as it is, and has no rules, whatever containers come and go', async () => {
  const before = await linkFacts(device);
  await create(asIs);
  // Asked again by an engine that did not hear the answer.
  await create(asIs);
  const { link, gateway } = await joined('e1', 2);
  expect(gateway).toBe(`${block}.1`);
  expect(await linkFacts(link)).toMatchObject({ mtu: 9000, mac: '02:42:0a:fe:07:02' });
  const [port = ''] = await ports();
  expect(await linkFacts(port)).toMatchObject({ mtu: 9000, mac: expect.stringMatching(/^fe:/) });
  const Options = {
    'com.docker.network.portmap': [{ Proto: 6, Port: 80, HostPort: 8080, HostPortEnd: 8080 }],
    'io.cleat.gateway.for': ['ipv4', 'ipv6'],
  };
  await driver.handlers().ProgramExternalConnectivity?.({ ...ids('e1'), Options }, context);
  const { Value } = (await driver.handlers().EndpointOperInfo(ids('e1'), context)) ?? {};
  expect(Value?.['com.docker.network.portmap']).toEqual([{ Proto: 6, Port: 80, HostIP: '0.0.0.0', HostPort: 0 }]);
  expect(readSysctl(`ipv4/conf/${device}/route_localnet`)).toBe('0');
  expect((await run('nft', ['list', 'table', 'inet', `cleat_lent${tag}`])).code).not.toBe(0);
  expect(await linkFacts(device)).toEqual(before);
  await driver.handlers().DeleteEndpoint(ids('e1'), context);
  await driver.handlers().DeleteNetwork({ NetworkID: 'n1' }, context);
  expect(await linkFacts(device)).toEqual(before);
  expect(await ports()).toEqual([]);
});

test('a smaller MTU is the container’s alone', async () => {
  await create({ ...asIs, 'com.docker.network.driver.mtu': '1400' });
  const { link } = await joined('e1', 2);
  expect(await linkFacts(link)).toMatchObject({ mtu: 1400 });
  expect(await linkFacts(device)).toMatchObject({ mtu: 9000 });
});

test('where containers are kept apart by default, the network must say that its own are not', async () => {
  await driver.close();
  driver = open(false);
  await expect(create(asIs)).rejects.toThrow(`give -o ${option('enable_icc')}=true`);
  await create({ ...asIs, [option('enable_icc')]: 'true' });
});

test('a bridge of somebody else that is gone is not made, and has the containers again when it is back', async () => {
  await create(asIs);
  await joined('e1', 2);
  const [port = ''] = await ports();
  await ip('link', 'delete', device);
  await driver.handlers().CreateEndpoint({ ...ids('e2'), Interface: { Address: `${block}.3/24` } }, context);
  await expect(join_('e2')).rejects.toThrow(`the bridge ${device}, which this engine did not make, is gone`);
  await makeBridge();
  await expect.poll(ports).toEqual([port]);
  await join_('e2');
  expect(await ports()).toHaveLength(2);

  // Gone while nobody looks.
  await driver.close();
  await ip('link', 'delete', device);
  driver = open();
  await driver.restore();
  expect(interfaceNames()).not.toContain(device);
  await makeBridge();
  await expect.poll(ports).toHaveLength(2);
  // Another device took its name.
  await ip('link', 'delete', device);
  await ip('link', 'add', device, 'type', 'veth', 'peer', 'name', `cx${tag}`);
  await expect(join_('e2')).rejects.toThrow(`the device ${device} is not the bridge that the network was made on`);
});

test('a bridge that took the name of one of ours is not used for it, nor removed with it', async () => {
  await ip('link', 'delete', device);
  await create(asIs);
  await driver.close();
  expect(interfaceNames()).not.toContain(device);
  await makeBridge();
  const before = await linkFacts(device);
  driver = open();
  await driver.restore();
  await driver.close();
  driver = open();
  await driver.handlers().DeleteNetwork({ NetworkID: 'n1' }, context);
  expect(await linkFacts(device)).toEqual(before);
});
