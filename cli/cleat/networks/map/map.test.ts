import type { ContainerSummary } from '@cleat/protocol/api/container';
import type { NetworkResource } from '@cleat/protocol/api/network';
import { describe, expect, test } from 'vitest';
import { mapOf } from './map.js';
import { svg } from './svg.js';
import { text } from './text.js';

function network(name: string, more: Partial<NetworkResource> = {}): NetworkResource {
  return {
    Name: name,
    Id: `${name}-id`.padEnd(64, '0'),
    Created: '2026-11-30T00:00:00Z',
    Scope: 'local',
    Driver: 'bridge',
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: { Driver: 'default', Options: null, Config: null },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: {},
    Options: {},
    Labels: {},
    ...more,
  };
}

const pool = (subnet: string, gateway?: string) => ({
  IPAM: { Driver: 'default', Options: null, Config: [{ Subnet: subnet, ...(gateway ? { Gateway: gateway } : {}) }] },
});

function container(
  name: string,
  on: Record<string, { v4?: string; v6?: string }>,
  more: Partial<ContainerSummary> = {},
): ContainerSummary {
  const networks = Object.entries(on).map(([ref, { v4 = '', v6 = '' }]) => [
    ref,
    {
      NetworkID: `${ref}-id`.padEnd(64, '0'),
      IPAddress: v4,
      IPPrefixLen: 24,
      GlobalIPv6Address: v6,
      GlobalIPv6PrefixLen: 64,
      MacAddress: '02:42:00:00:00:01',
    },
  ]);
  return {
    Id: `${name}-id`.padEnd(64, '0'),
    Names: [`/other/link`, `/${name}`],
    Image: 'busybox',
    ImageID: '',
    Command: 'sh',
    Created: 0,
    Ports: [],
    Labels: {},
    State: 'running',
    Status: 'Up',
    HostConfig: { NetworkMode: 'default' },
    NetworkSettings: { Networks: Object.fromEntries(networks) },
    Mounts: [],
    ...more,
  };
}

const networks = [
  network('quiet'),
  network('front', pool('172.18.0.0/24', '172.18.0.1')),
  network('back', { ...pool('fd00:1::/64'), Internal: true }),
];
const port = (inside: number, outside: number, ip = '0.0.0.0') => ({
  IP: ip,
  PrivatePort: inside,
  PublicPort: outside,
  Type: 'tcp',
});
const containers = [
  container('db', { back: { v6: 'fd00:1::3' } }),
  container(
    'web',
    { front: { v4: '172.18.0.2' }, back: { v6: 'fd00:1::2' } },
    { Ports: [port(81, 8081), port(80, 8080), port(443, 8443, '::'), { PrivatePort: 9, Type: 'udp' }] },
  ),
  container('side', {}, { HostConfig: { NetworkMode: `container:${'web-id'.padEnd(64, '0')}` } }),
  container('old', { front: {} }, { State: 'exited' }),
  container('cron', {}),
];

test('a tree for each network: addresses, ports, and where else a container is', () => {
  expect(text(mapOf(networks, containers))).toBe(
    [
      'back  bridge, internal  fd00:1::/64',
      '├─ db   fd00:1::3/64',
      '└─ web  fd00:1::2/64  0.0.0.0:8080-8081->80-81/tcp [::]:8443->443/tcp  also on front; shared by side',
      '',
      'front  bridge  172.18.0.0/24 (gateway 172.18.0.1)',
      '├─ web  172.18.0.2/24  0.0.0.0:8080-8081->80-81/tcp [::]:8443->443/tcp  also on back; shared by side',
      '└─ old                                                                  not running',
      '',
      'quiet  bridge',
      '',
      'on no network',
      '└─ cron',
      '',
    ].join('\n'),
  );
  expect(text(mapOf([], []))).toBe('No networks.\n');
});

test('a container with many ports pushes nobody else aside', () => {
  const many = container(
    'many',
    { front: {} },
    { Ports: [1, 3, 5, 7, 9].map((inside) => port(inside, 8000 + inside)) },
  );
  const stopped = container('old', { front: {} }, { State: 'exited' });
  const lines = text(mapOf(networks, [many, stopped])).split('\n');
  expect(lines[1]).toContain('0.0.0.0:8009->9/tcp');
  expect(lines[2]).toMatch(/^└─ old {3,90}not running$/);
});

describe('chosen networks', () => {
  test('with the containers on them, and where those lead', () => {
    const map = mapOf(networks, containers, ['front']);
    expect(map.networks.map(({ name }) => name)).toEqual(['back', 'front']);
    expect(map.containers.map(({ name }) => name)).toEqual(['web', 'side', 'old']);
  });

  test('the map says what it leaves out, in both forms', () => {
    const more = [...networks, network('far')];
    const map = mapOf(more, [...containers, container('far-away', { far: {} })], ['back']);
    expect(text(map)).toBe(
      [
        'back  bridge, internal  fd00:1::/64',
        '├─ db   fd00:1::3/64',
        '└─ web  fd00:1::2/64  0.0.0.0:8080-8081->80-81/tcp [::]:8443->443/tcp  also on front; shared by side',
        '',
        'front  bridge  172.18.0.0/24 (gateway 172.18.0.1)',
        '├─ web  172.18.0.2/24  0.0.0.0:8080-8081->80-81/tcp [::]:8443->443/tcp  also on back; shared by side',
        '└─ and 1 more, not on back',
        '',
        'Only back, the containers there, and where else these are. Not shown: 2 other networks, 3 other containers.',
        '',
      ].join('\n'),
    );
    const picture = svg(map);
    expect(picture).toContain('>and 1 more, not on back<');
    expect(picture).toContain('Not shown: 2 other networks, 3 other containers.');
    for (const all of [mapOf(more, containers), mapOf(networks, containers, ['front', 'back', 'quiet'])]) {
      expect(svg(all) + text(all)).not.toContain('and 1 more, not on');
    }
    expect(text(mapOf(networks, [], ['back', 'front']))).toContain('Only back and front, the containers there');
    expect(text(mapOf(networks, []))).not.toContain('Only');
  });

  test('by the beginning of an ID, unless it fits several', () => {
    expect(mapOf(networks, [], ['quiet-i']).networks.map(({ name }) => name)).toEqual(['quiet']);
    expect(() => mapOf([network('one'), network('onetwo')], [], ['on'])).toThrow('network on is ambiguous');
    expect(() => mapOf(networks, [], ['nope'])).toThrow('network nope not found');
    expect(() => mapOf(networks, [], [''])).toThrow('network  not found');
  });
});

test('the picture has a column for each network and a row for each container', () => {
  const picture = svg(mapOf(networks, containers));
  expect(picture.match(/<circle /g)).toHaveLength(4);
  expect(picture.match(/<g class="container/g)).toHaveLength(5);
  for (const said of ['172.18.0.2/24', 'fd00:1::2/64', 'in the network of web', '0.0.0.0:8080-8081-&gt;80-81/tcp']) {
    expect(picture).toContain(said);
  }
  expect(svg(mapOf([], []))).toContain('no container is on a network');
});

test('names and labels of others are only text, in both forms', () => {
  const hostile = `</text><script>alert(1)</script>&\u001b[2J\n"'`;
  const map = mapOf(
    [network(hostile)],
    [container('x', { [hostile]: {} }, { Names: [`/${hostile.replaceAll('/', '')}`], Image: hostile })],
  );
  const picture = svg(map);
  expect(picture).not.toContain('<script');
  expect(picture).not.toContain('\u001b');
  expect(picture.replaceAll(/&(amp|lt|gt|quot|#39);/g, '')).not.toContain('&');
  expect(text(map)).not.toContain('\u001b');
  expect(text(map).split('\n')).toHaveLength(3);
});
