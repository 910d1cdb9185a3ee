import type { PortMap } from '@cleat/protocol/api/container';
import { describe, expect, test } from 'vitest';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';
import { compileFilters } from './list-filters.js';
import { portList } from './port-list.js';

/** Filters of ports look at nothing of these. */
const context = {} as Context;
const container = { record: { id: 'c1', name: 'one', config: {}, hostConfig: {}, state: {}, mounts: [] } };

const ports: PortMap = {
  '80/tcp': [
    { HostIp: '0.0.0.0', HostPort: '8080' },
    { HostIp: '::', HostPort: '8080' },
  ],
  '53/udp': [{ HostIp: '0.0.0.0', HostPort: '' }],
  '7000/tcp': null,
};

const matches = (filters: Record<string, string[]>, shown = ports) =>
  compileFilters(context, filters).test(container as unknown as Container, {
    sandboxId: '',
    sandboxKey: '',
    ports: shown,
    networks: {},
  });

describe('expose and publish', () => {
  test.each([
    ['80', true, false],
    ['80/TCP', true, false],
    ['80/udp', false, false],
    ['53/udp', true, false],
    ['7000', true, false],
    ['6000-7000', true, false],
    ['8080', false, true],
    ['8000-9000/tcp', false, true],
    ['8080/udp', false, false],
  ])('%s', (value, exposed, published) => {
    expect([matches({ expose: [value] }), matches({ publish: [value] })]).toEqual([exposed, published]);
    expect(matches({ expose: [value], publish: ['8080'] })).toBe(true);
    expect(matches({ expose: [value] }, {})).toBe(false);
  });

  test.each([
    ['x', 'strconv.ParseUint: parsing "x": invalid syntax'],
    ['', 'strconv.ParseUint: parsing "": invalid syntax'],
    ['80/foo', 'strconv.ParseUint: parsing "80/foo": invalid syntax'],
    ['65536', 'strconv.ParseUint: parsing "65536": value out of range'],
    ['80-70000', 'strconv.ParseUint: parsing "70000": value out of range'],
    ['90-80', 'invalid port range: 90-80'],
  ])('%s is refused', (value, why) => {
    for (const name of ['expose', 'publish']) {
      expect(() => matches({ [name]: [value] })).toThrow(`error while looking up for ${name} ${value}: ${why}`);
    }
  });
});

test('a routed port is listed without one on the host', () => {
  expect(portList(ports)).toEqual([
    { IP: '0.0.0.0', PrivatePort: 53, Type: 'udp' },
    { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
    { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
    { PrivatePort: 7000, Type: 'tcp' },
  ]);
});
