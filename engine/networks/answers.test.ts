import { describe, expect, test } from 'vitest';
import { Answer } from './answers.js';

const said = new Answer('liar', 'NetworkDriver.Join');
const endpoint = { ipv4: '10.1.0.5/16', ipv6: 'fd00::5/64', gateway: '10.1.0.1', gateway6: '' };
const wrong = (what: string) => `plugin "liar" answered NetworkDriver.Join with ${what}`;

describe('routes', () => {
  const via = (Destination: string, NextHop: string) => ({ Destination, RouteType: 0, NextHop });
  const direct = (Destination: string) => ({ Destination, RouteType: 1 });

  test.each([
    ['none', [], []],
    ['the same twice', [direct('10.2.0.0/16'), direct('10.2.0.0/16')], [['10.2.0.0/16', '']]],
    ['host bits are cleared', [via('10.2.3.4/16', '10.1.0.9')], [['10.2.0.0/16', '10.1.0.9']]],
    [
      'a next hop of a direct one is passed over',
      [{ ...direct('10.2.0.0/16'), NextHop: '10.1.0.9' }],
      [['10.2.0.0/16', '']],
    ],
    ['the own subnets are there anyway', [direct('10.1.0.0/16'), direct('fd00::/64')], []],
    ['everywhere by the gateway is there anyway', [via('0.0.0.0/0', '10.1.0.1')], []],
    ['everywhere over IPv6', [direct('::/0')], [['::/0', '']]],
  ])('%s', (_, routes, expected) => {
    expect(said.routes(routes, endpoint).map(({ destination, via: hop }) => [destination, hop])).toEqual(expected);
  });

  test.each([
    ['another way', [direct('10.2.0.0/16'), via('10.2.9.9/16', '10.1.0.9')], 'two different routes to 10.2.0.0/16'],
    ['another gateway', [via('0.0.0.0/0', '10.1.0.2')], 'two different routes to 0.0.0.0/0'],
    ['no next hop', [via('10.2.0.0/16', '')], 'the route "10.2.0.0/16" without a next hop'],
    [
      'a next hop of the other family',
      [via('10.2.0.0/16', 'fd00::1')],
      'the next hop "fd00::1", which is no IPv4 address',
    ],
    ['an odd next hop', [via('::/0', '::1')], 'the next hop "::1", which is no address of a host'],
    ['an unknown type', [{ Destination: '10.2.0.0/16', RouteType: 2 }], 'a route of the unknown type 2'],
    ['no destination', [direct('')], '"", which is no address with a prefix length'],
    ['too many', Array.from({ length: 1001 }, () => direct('10.2.0.0/16')), '1001 static routes, more than 1000'],
  ])('%s is refused', (_, routes, what) => {
    expect(() => said.routes(routes, endpoint)).toThrow(wrong(what));
  });
});

test.each(['0.0.0.0', '0.1.2.3', '127.0.0.1', '224.0.0.1', '255.255.255.255'])('%s is no gateway', (text) => {
  expect(() => said.address(text, 'the gateway', 4)).toThrow(
    wrong(`the gateway "${text}", which is no address of a host`),
  );
});

test.each(['::', '::1', 'ff02::1'])('%s is no gateway', (text) => {
  expect(() => said.address(text, 'the IPv6 gateway', 6)).toThrow('which is no address of a host');
});
