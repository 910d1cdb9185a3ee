import type { PublishedPort } from '@cleat/linux/firewall/ruleset';
import { conflict, systemError } from '@cleat/protocol/errors';
import type { PortBinding } from '@cleat/protocol/kinds/network';
import { describe, expect, test } from 'vitest';
import { readPortRequests, routedPorts } from './port-requests.js';
import { HostPorts } from './ports.js';
import type { Family } from './state.js';

const to = { ip: '10.1.0.2', ip6: 'fd00::2', hostIp: '0.0.0.0' };
const tcp = (Port: number, HostPort = 0, more: Partial<PortBinding> = {}): PortBinding => ({
  Proto: 6,
  Port,
  HostPort,
  ...more,
});

describe('which host ports are asked for', () => {
  const read = (...bindings: PortBinding[]) =>
    readPortRequests(bindings, to, true).map(
      ({ targets, protocol, containerPort, from, to: last }) =>
        `${targets.map(({ hostIp }) => hostIp)} ${from}-${last}:${containerPort}/${protocol}`,
    );

  test('those without a choice come first; each is in the order of its ports and addresses', () => {
    expect(
      read(
        tcp(80, 8000, { HostPortEnd: 8001 }),
        tcp(81),
        tcp(90, 8001),
        tcp(90, 8000),
        { Proto: 17, Port: 53, HostPort: 53 },
        tcp(53, 53, { HostIP: '127.0.0.2' }),
        tcp(53, 53, { HostIP: '127.0.0.1' }),
      ),
    ).toEqual([
      '127.0.0.1,127.0.0.2 53-53:53/tcp',
      '0.0.0.0,:: 53-53:53/udp',
      '0.0.0.0,:: 8000-8000:90/tcp',
      '0.0.0.0,:: 8001-8001:90/tcp',
      '0.0.0.0,:: 8000-8001:80/tcp',
      '0.0.0.0,:: 0-0:81/tcp',
    ]);
  });

  test('the same binding twice gets two ports', () => {
    expect(read(tcp(80), tcp(80), tcp(80, 0, { HostIP: '127.0.0.1' }))).toEqual([
      '0.0.0.0,127.0.0.1,:: 0-0:80/tcp',
      '0.0.0.0,:: 0-0:80/tcp',
    ]);
    const many = Array.from({ length: 60_000 }, () => tcp(80));
    expect(read(...many)).toHaveLength(many.length);
  });
});

test.each<[string, 'ipv4' | 'ipv6' | 'both', string | undefined, string[]]>([
  ['0.0.0.0', 'both', undefined, ['0.0.0.0', '::']],
  ['0.0.0.0', 'ipv6', undefined, ['::']],
  ['0.0.0.0', 'both', '127.0.0.1', ['0.0.0.0']],
  ['0.0.0.0', 'both', '::1', ['::']],
  ['127.0.0.1', 'both', undefined, ['0.0.0.0']],
  ['127.0.0.1', 'ipv6', undefined, []],
  ['127.0.0.1', 'ipv6', '::1', ['::']],
  ['::', 'both', undefined, ['::']],
])('where ports go to %s, routed (%s) on %s', (hostIp, routed, HostIP, expected) => {
  const families: readonly Family[] = routed === 'both' ? ['ipv4', 'ipv6'] : [routed];
  const modes = Object.fromEntries(families.map((family) => [family, 'routed' as const]));
  const ports = routedPorts([tcp(80, 8080, HostIP === undefined ? {} : { HostIP })], { ...to, hostIp }, { modes });
  expect(ports.map((port) => port.hostIp)).toEqual(expected);
  expect(ports.every(({ hostPort, direct }) => hostPort === 0 && direct)).toBe(true);
});

describe('a host port that nobody chose', () => {
  const six = [tcp(80, 0, { HostIP: '2001:db8::1' })];

  test('is another one where the first is taken', async () => {
    const asked: number[] = [];
    const open = async ({ hostPort }: PublishedPort) => {
      if (asked.push(hostPort) < 3) throw conflict('address already in use');
    };
    const ports = await new HostPorts({ open, close: async () => {} }).allocate(six, to);
    expect(new Set(asked).size).toBe(3);
    expect(ports.map(({ hostPort }) => hostPort)).toEqual(asked.slice(-1));
  });

  test('is asked for once where the host has no such address', async () => {
    let count = 0;
    const open = async () => {
      count++;
      throw systemError('cannot assign requested address');
    };
    const ports = new HostPorts({ open, close: async () => {} });
    await expect(ports.allocate(six, to)).rejects.toThrow('cannot assign requested address');
    expect(count).toBe(1);
    const four = ports.allocate([tcp(80, 0, { HostIP: '192.0.2.1' })], to);
    await expect(four).rejects.toMatchObject({
      class: 'System',
      message: expect.stringMatching(/cannot assign requested address$/),
    });
  });

  test('is none of those that the operator reserved', async () => {
    const asked: number[] = [];
    const open = async ({ hostPort }: PublishedPort) => {
      asked.push(hostPort);
    };
    const allocate = (reserved: string) =>
      new HostPorts({ open, close: async () => {} }, () => reserved).allocate(six, to);
    await allocate('\n');
    const [first = 0] = asked;
    await allocate(`${first},${first + 1}-${first + 3}\n`);
    expect(asked).toEqual([first, first + 4]);
    await expect(allocate('1-65535')).rejects.toThrow('all ports are allocated');
  });
});
