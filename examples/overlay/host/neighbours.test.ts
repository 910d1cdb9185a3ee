import { describe, expect, test } from 'vitest';
import { knownOf, type Neighbour, steps } from './neighbours.js';

const at = (address: string, mac: string, host: string): Neighbour => ({ address, mac, host });
const between = (before: Neighbour[], after: Neighbour[]) => steps('vx', knownOf(before), knownOf(after));

describe('telling the kernel who is where', () => {
  test('a container that comes, and one that goes', () => {
    const one = at('10.9.0.2', '02:42:0a:09:00:02', '192.0.2.1');
    expect(between([], [one])).toEqual({
      ip: ['neigh replace 10.9.0.2 lladdr 02:42:0a:09:00:02 dev vx nud permanent'],
      bridge: [
        'fdb replace 02:42:0a:09:00:02 dev vx master static',
        'fdb replace 02:42:0a:09:00:02 dev vx dst 192.0.2.1 self permanent',
      ],
    });
    expect(between([one], [])).toEqual({
      ip: ['neigh delete 10.9.0.2 dev vx'],
      bridge: ['fdb delete 02:42:0a:09:00:02 dev vx master', 'fdb delete 02:42:0a:09:00:02 dev vx self'],
    });
    expect(between([one], [one])).toEqual({ ip: [], bridge: [] });
  });

  test('a container that moves has another host, and the same address', () => {
    const mac = '02:42:0a:09:00:02';
    expect(between([at('10.9.0.2', mac, '192.0.2.1')], [at('10.9.0.2', mac, '192.0.2.2')])).toEqual({
      ip: [],
      bridge: [`fdb replace ${mac} dev vx master static`, `fdb replace ${mac} dev vx dst 192.0.2.2 self permanent`],
    });
  });

  test('one with two addresses has one place', () => {
    const mac = '02:42:0a:09:00:02';
    const { ip, bridge } = between([], [at('10.9.0.2', mac, '192.0.2.1'), at('fd00::2', mac, '192.0.2.1')]);
    expect([ip.length, bridge.length]).toEqual([2, 2]);
  });
});
