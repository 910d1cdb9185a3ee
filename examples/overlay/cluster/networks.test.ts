import { describe, expect, test } from 'vitest';
import {
  agreeOnEncryption,
  gatewayOf,
  joinPool,
  leavePool,
  nameAux,
  networkOf,
  type PoolRequest,
  poolOf,
  rejoin,
  type SharedNetworks,
  takeAux,
} from './networks.js';

const asked = (more: Partial<PoolRequest> = {}): PoolRequest => ({
  name: 'shop',
  cidr: '',
  family: 4,
  sources: [{ base: '10.64.0.0/10', size: 24 }],
  inUse: [],
  host: 'a',
  holder: '',
  ...more,
});
const living = new Set(['a', 'b']);

describe('the networks of all hosts', () => {
  test('the first host makes a network, the others join it by its name', () => {
    const networks: SharedNetworks = {};
    const { pool } = joinPool(networks, asked({ holder: 'id on a' }));
    expect(pool).toEqual({ cidr: '10.64.0.0/24', gateway: '10.64.0.1', hosts: { a: 'id on a' }, aux: {} });
    expect(joinPool(networks, asked({ host: 'b' })).pool).toBe(pool);
    expect(networks.shop).toMatchObject({ vni: 4096, pools: [{ hosts: { a: 'id on a', b: '' } }] });
    expect(joinPool(networks, asked({ name: 'other' })).pool.cidr).toBe('10.64.1.0/24');
    expect(networks.other?.vni).toBe(4097);
  });

  test('without a name its subnet is its name', () => {
    const networks: SharedNetworks = {};
    expect(joinPool(networks, asked({ name: '', cidr: '10.9.0.0/24' })).name).toBe('10.9.0.0/24');
    expect(joinPool(networks, asked({ name: '', cidr: '10.9.0.0/24', host: 'b' })).name).toBe('10.9.0.0/24');
    expect(Object.keys(networks)).toEqual(['10.9.0.0/24']);
  });

  test('a subnet that overlaps one of another network is refused, and one that this host uses is not chosen', () => {
    const networks: SharedNetworks = {};
    joinPool(networks, asked({ cidr: '10.9.0.0/24' }));
    for (const cidr of ['10.9.0.0/24', '10.9.0.128/25', '10.0.0.0/8']) {
      expect(() => joinPool(networks, asked({ name: 'other', cidr, host: 'b' }))).toThrow(
        'Pool overlaps with other one',
      );
    }
    expect(joinPool(networks, asked({ name: 'third', inUse: ['10.64.0.0/23'] })).pool.cidr).toBe('10.64.2.0/24');
  });

  test('a host has a network once', () => {
    const networks: SharedNetworks = {};
    joinPool(networks, asked({ holder: 'one' }));
    expect(joinPool(networks, asked({ holder: 'one' })).name).toBe('shop');
    expect(() => joinPool(networks, asked({ holder: 'two' }))).toThrow(
      'the network shop is on this host already, as one',
    );
  });

  test('IPv4 and IPv6 subnets are of one network', () => {
    const networks: SharedNetworks = {};
    joinPool(networks, asked());
    joinPool(networks, asked({ family: 6, sources: [{ base: 'fd00::/48', size: 64 }] }));
    expect(networks.shop?.pools.map(({ cidr }) => cidr)).toEqual(['10.64.0.0/24', 'fd00::/64']);
    expect(leavePool(networks, 'shop', '10.64.0.0/24', 'a', living)).toBe(false);
    expect(leavePool(networks, 'shop', 'fd00::/64', 'a', living)).toBe(true);
    expect(networks).toEqual({});
  });

  test('the last living host ends a network; one that was only silent joins again', () => {
    const networks: SharedNetworks = {};
    for (const host of ['a', 'b', 'silent']) joinPool(networks, asked({ host }));
    expect(leavePool(networks, 'shop', '10.64.0.0/24', 'a', living)).toBe(false);
    expect(leavePool(networks, 'shop', '10.64.0.0/24', 'b', living)).toBe(true);
    joinPool(networks, asked({ name: 'next', cidr: '10.99.0.0/24' }));
    const remembered = { name: 'shop', encrypted: false, pools: ['10.64.0.0/24'] };
    expect(rejoin(networks, remembered, 'silent', 'id').vni).toBe(4097);
    expect(() => rejoin(networks, { ...remembered, name: 'x', pools: ['10.99.0.0/16'] }, 'silent', 'id')).toThrow(
      'Pool overlaps',
    );
  });

  test('the gateway is the same on all hosts', () => {
    const networks: SharedNetworks = {};
    const { pool } = joinPool(networks, asked());
    expect(gatewayOf(pool, '10.64.0.9', 'a')).toBe('10.64.0.9');
    joinPool(networks, asked({ host: 'b' }));
    expect(gatewayOf(pool, '', 'b')).toBe('10.64.0.9');
    expect(() => gatewayOf(pool, '10.64.0.1', 'b')).toThrow('the gateway of 10.64.0.0/24 is 10.64.0.9 on other hosts');
    expect(() => gatewayOf(joinPool(networks, asked({ name: 'z' })).pool, '10.1.1.1', 'a')).toThrow('out of range');
  });

  test('auxiliary addresses are named by several hosts, and go with the last', () => {
    const networks: SharedNetworks = {};
    const { pool } = joinPool(networks, asked());
    joinPool(networks, asked({ host: 'b' }));
    for (const host of ['a', 'b']) nameAux(pool, '10.64.0.7', host, '');
    expect(pool.aux).toEqual({ '10.64.0.7': ['a', 'b'] });
    leavePool(networks, 'shop', pool.cidr, 'a', living);
    expect(poolOf(networks, 'shop', pool.cidr).aux).toEqual({ '10.64.0.7': ['b'] });
    expect(() => nameAux(pool, '10.1.1.1', 'a', '')).toThrow('out of range');
  });

  test('a host that names an address again repeats itself for one network, and else asks for two containers', () => {
    const networks: SharedNetworks = {};
    const { pool } = joinPool(networks, asked());
    nameAux(pool, '10.64.0.7', 'a', '');
    expect(() => nameAux(pool, '10.64.0.7', 'a', '')).toThrow('Address already in use');
    expect(takeAux(networks, 'shop', '10.64.0.7', 'b')).toBeUndefined();
    expect(takeAux(networks, 'shop', '10.64.0.7', 'a')).toBe('10.64.0.0/24');
    expect(takeAux(networks, 'shop', '10.64.0.7', 'a')).toBeUndefined();
    const { pool: told } = joinPool(networks, asked({ name: 'told', holder: 'id' }));
    for (let times = 0; times < 2; times++) nameAux(told, '10.64.1.7', 'a', 'id');
    expect(() => nameAux(told, '10.64.1.7', 'a', 'other')).toThrow('Address already in use');
    // Its engine says which address is a container's.
    expect(takeAux(networks, 'told', '10.64.1.7', 'a')).toBeUndefined();
  });

  test('a network whose subnets another driver gave is refused', () => {
    const networks: SharedNetworks = {};
    joinPool(networks, asked());
    expect(networkOf(networks, ['10.64.0.0/24'], 'a', 'overlay').name).toBe('shop');
    for (const [pools, host] of [
      [[], 'a'],
      [['172.18.0.0/16'], 'a'],
      [['10.64.0.0/24'], 'b'],
    ] as const) {
      expect(() => networkOf(networks, pools, host, 'overlay')).toThrow('--ipam-driver overlay');
    }
  });

  test('all hosts encrypt a network, or none', () => {
    const networks: SharedNetworks = {};
    joinPool(networks, asked());
    const { network } = networkOf(networks, ['10.64.0.0/24'], 'a', 'overlay');
    agreeOnEncryption('shop', network, true);
    expect(() => agreeOnEncryption('shop', network, false)).toThrow('say -o encrypted');
    expect(() => agreeOnEncryption('shop', { vni: 1, pools: [], encrypted: false }, true)).toThrow(
      'leave out -o encrypted',
    );
  });
});
