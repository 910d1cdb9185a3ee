import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DhcpClient } from './client.js';
import { type Answer, FakeServer, serverMac } from './server.fixture.js';
import { addressBytes, messageType, option } from './wire/message.js';

const client = { link: 'eth0', mac: '02:42:00:00:00:07', hostName: 'web' };
let server: FakeServer;
let dhcp: DhcpClient;
beforeEach(() => {
  server = new FakeServer();
  dhcp = new DhcpClient(server.openPort);
});
afterEach(() => vi.useRealTimers());
const ms = 15_000;
const patience = () => ({ ms, signal: new AbortController().signal });
const discover = (like = { address: '', subnet: '' }) => dhcp.discover(client, like, patience());
/** The error after a wait in which only the answers came that were sent at once. */
async function without(ask: () => Promise<unknown>): Promise<string> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const asked = ask().then(
    () => 'no error',
    (error: unknown) => String(error),
  );
  await setImmediate();
  vi.advanceTimersByTime(ms);
  vi.useRealTimers();
  return await asked;
}

test('an address is offered, taken, asked for again, and given back', async () => {
  const offer = await discover();
  expect(offer).toEqual({
    ...{ address: '10.1.2.50', subnet: '10.1.2.0/24', router: '10.1.2.254', server: '10.1.2.1', serverMac },
    ...{ seconds: 100, renewAfter: 50, rebindAfter: 87 },
  });
  expect(await dhcp.request(client, offer, patience(), 'offered')).toEqual(offer);
  expect(await dhcp.request(client, { ...offer, server: '' }, patience(), 'had')).toEqual(offer);
  expect(server.names.get(client.mac)).toBe('web');
  expect(server.ends).toEqual({
    from: { mac: client.mac, address: '0.0.0.0' },
    to: { mac: 'ff:ff:ff:ff:ff:ff', address: '255.255.255.255' },
  });
  dhcp.release(client, offer);
  expect(server.ends).toEqual({
    from: { mac: client.mac, address: '10.1.2.50' },
    to: { mac: serverMac, address: '10.1.2.1' },
  });
  expect(server.heard).toEqual([
    `discover 0.0.0.0 ${client.mac}`,
    `request 10.1.2.50 ${client.mac}`,
    `request 10.1.2.50 ${client.mac}`,
    `release 10.1.2.50 ${client.mac}`,
  ]);
  expect(server.open).toBe(0);
});

test('a server that does not answer is asked again, and told of', async () => {
  server.silent = true;
  expect(await without(discover)).toContain(
    'no DHCP server gave an address on eth0 within 15 s: is there one on that network, with addresses left?',
  );
  expect(server.heard).toHaveLength(4);
  expect(server.open).toBe(0);
});

test('it ends with its caller, and with its link', async () => {
  server.silent = true;
  const stop = new AbortController();
  const asked = dhcp.discover(client, { address: '', subnet: '' }, { ms, signal: stop.signal });
  stop.abort(new Error('nobody waits'));
  await expect(asked).rejects.toThrow('nobody waits');
  const other = discover();
  server.unplug();
  await expect(other).rejects.toThrow('the interface eth0 went down');
  expect(server.open).toBe(0);
});

test('a refusal is the server’s that was asked', async () => {
  const nak = (from: string): Answer => ({
    type: messageType.nak,
    address: '0.0.0.0',
    options: { [option.serverIdentifier]: addressBytes(from), [option.message]: Buffer.from('no\nlease') },
  });
  server.answers = (usual) => [nak('10.1.2.9'), { ...nak('10.1.2.1'), options: {} }, usual];
  const wanted = { address: '10.1.2.50', subnet: '10.1.2.0/24', server: '10.1.2.1' };
  expect(await dhcp.request(client, wanted, patience(), 'had')).toMatchObject({ server: '10.1.2.1' });
  server.answers = () => [nak('10.1.2.9')];
  expect(await dhcp.request(client, { ...wanted, server: '' }, patience(), 'had')).toEqual({
    server: '10.1.2.9',
    reason: 'no lease',
  });
});

describe('hostile answers are passed over, with the reason', () => {
  const bytes = (...all: number[]) => Buffer.from(all);
  const cases: [string, Partial<Answer>, string][] = [
    ['cut short', { mangle: (message) => message.subarray(0, 100) }, 'it has 100 bytes'],
    ['an option that is too long', { mangle: (message) => message.fill(200, 241, 242) }, 'is cut short'],
    ['for another host', { message: { mac: '02:42:00:00:00:99' } }, 'it is for 02:42:00:00:00:99'],
    ['no server', { options: { [option.serverIdentifier]: undefined } }, 'no server identifier'],
    ['a server of everybody', { options: { [option.serverIdentifier]: bytes(255, 255, 255, 255) } }, '255.255.255.255'],
    ['a server identifier that is too short', { options: { [option.serverIdentifier]: bytes(10, 1) } }, 'no server'],
    ['no address', { address: '0.0.0.0' }, 'the address 0.0.0.0'],
    ['an address of many', { address: '224.0.0.9' }, 'the address 224.0.0.9'],
    ['the server’s', { address: '10.1.2.1' }, 'its own address 10.1.2.1'],
    ['the router’s', { address: '10.1.2.254' }, 'the address 10.1.2.254, which is the router'],
    ['an edge', { address: '10.1.2.255' }, 'which is an edge of 10.1.2.0/24'],
    ['the other edge', { address: '10.1.2.0' }, 'which is an edge of 10.1.2.0/24'],
    ['of another subnet', { address: '10.9.9.9' }, 'the address 10.9.9.9, which is not in 10.1.2.0/24'],
    ['another mask', { options: { [option.subnetMask]: bytes(255, 255, 0, 0) } }, 'the subnet 10.1.0.0/16'],
    ['a mask with holes', { options: { [option.subnetMask]: bytes(255, 0, 255, 0) } }, 'the subnet mask 255.0.255.0'],
    ['no mask', { options: { [option.subnetMask]: undefined } }, 'no subnet mask'],
    ['a mask of nothing', { options: { [option.subnetMask]: bytes(0, 0, 0, 0) } }, 'the subnet mask 0.0.0.0'],
    [
      'a mask of one',
      { options: { [option.subnetMask]: bytes(255, 255, 255, 255) } },
      'the subnet mask 255.255.255.255',
    ],
    ['no lease time', { options: { [option.leaseTime]: undefined } }, 'no lease time'],
    ['a lease time that is too short', { options: { [option.leaseTime]: bytes(0, 0, 0, 1) } }, 'a lease of 1 s'],
  ];
  test.each(cases)('%s', async (_, change, reason) => {
    server.answers = (usual) => [{ ...usual, ...change }];
    expect(await without(() => discover({ address: '', subnet: '10.1.2.0/24' }))).toContain(reason);
    // The next one is taken.
    server.answers = (usual) => [{ ...usual, ...change }, usual];
    expect(await discover({ address: '', subnet: '10.1.2.0/24' })).toMatchObject({ address: '10.1.2.50' });
  });

  test('answers to others, or from clients, are not told of', async () => {
    const other = (asked: { transaction: number }) => ({ transaction: (asked.transaction ^ 1) >>> 0 });
    server.answers = (usual, asked) => [
      { ...usual, message: other(asked) },
      { ...usual, message: { operation: 'request' } },
      { ...usual, type: messageType.ack },
      { ...usual, options: { [option.messageType]: undefined } },
    ];
    expect(await without(discover)).toContain('is there one on that network');
  });

  test('another address than the one that was taken', async () => {
    const offer = await discover();
    server.answers = (usual) => [{ ...usual, address: '10.1.2.77' }];
    expect(await without(() => dhcp.request(client, offer, patience(), 'offered'))).toContain(
      'server 10.1.2.1: the address 10.1.2.77, not 10.1.2.50',
    );
  });

  test('times that make no sense are RFC 2131’s; a router elsewhere is none', async () => {
    const options = {
      [option.renewalTime]: bytes(0, 0, 0, 90),
      [option.rebindingTime]: bytes(0, 0, 0, 80),
      [option.router]: addressBytes('10.7.7.7'),
    };
    server.answers = (usual) => [{ ...usual, options }];
    expect(await discover()).toMatchObject({ renewAfter: 50, rebindAfter: 87, router: '' });
    options[option.renewalTime] = bytes(0, 0, 0, 3);
    expect(await discover()).toMatchObject({ renewAfter: 3, rebindAfter: 80 });
  });
});
