import type { HostState } from '@cleat/linux/net/facts';
import { expect, test } from 'vitest';
import { isDamaged } from './damage.js';
import type { NetworkRecord } from './state.js';

const network = {
  bridge: 'br1',
  owned: true,
  gateways: ['10.1.0.1/24', 'fd00::1/64'],
} as unknown as NetworkRecord;
const foreign: NetworkRecord = { ...network, owned: false };
const without: NetworkRecord = { ...network, gateways: [] };
const inhibited: NetworkRecord = { ...network, gateways: ['10.1.0.1/24'], inhibitIPv4: true };
const isolated: NetworkRecord = { ...network, modes: { ipv4: 'isolated', ipv6: 'isolated' } };

test.each<[string, NetworkRecord, string, boolean]>([
  ['a whole one', network, 'there, up, 10.1.0.1/24, fd00::1/64, fe80::1/64', false],
  ['one that is gone', network, '', true],
  ['one that is down', network, 'there', true],
  ['one that lost an address', network, 'there, up, 10.1.0.1/24, fe80::1/64', true],
  ['one that lost its link-local address', network, 'there, up, 10.1.0.1/24, fd00::1/64', true],
  ['one that is to have no address', without, 'there, up', false],
  ['one that is to have no address, and is down', without, 'there', true],
  ['one whose gateway is not the host', inhibited, 'there, up', false],
  ['one whose gateway is not the host, and is down', inhibited, 'there', true],
  ['an isolated one', isolated, 'there, up', false],
  ["somebody else's that is whole", foreign, 'there, up, 10.1.0.1/24, fd00::1/64', false],
  ["somebody else's that is gone", foreign, '', false],
  ["somebody else's that is down", foreign, 'there', false],
  ["somebody else's that lost an address", foreign, 'there, up, 10.1.0.1/24', true],
])('a bridge is damaged or not: %s', (_, record, state, damaged) => {
  const is = new Set(state.split(', '));
  const host: HostState = { has: () => is.has('there'), serves: (_bridge, cidr) => is.has(cidr) };
  expect(isDamaged(record, host, () => is.has('up'))).toBe(damaged);
});
