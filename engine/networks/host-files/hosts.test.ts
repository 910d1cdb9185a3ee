import { expect, test } from 'vitest';
import type { ContainerId } from '../../ids.js';
import { portMap, requestedPorts } from '../ports.js';
import type { SandboxRecord } from '../record.js';
import { readResolver } from './host-resolver.js';
import { hostsFile, resolvFile } from './hosts.js';

const sandbox = (more: Partial<SandboxRecord> = {}): SandboxRecord => ({
  v: 2,
  containerId: 'c' as ContainerId,
  containerName: 'name',
  hostname: 'host',
  domainname: '',
  sandboxId: 's',
  kind: 'path',
  path: '/x',
  ownerId: '',
  directory: '/d',
  endpoints: [],
  exposedPorts: [],
  requestedPorts: [],
  dns: [],
  dnsSearch: [],
  dnsOptions: [],
  extraHosts: [],
  ...more,
});
const none = { dns: [], search: [], options: [] };

test('hosts: extra ones, the gateway of the host, the own name with its domain', () => {
  const record = sandbox({ domainname: 'example.org', extraHosts: ['a:1.2.3.4', 'six:fd00::1', 'gw:host-gateway'] });
  const lines = hostsFile(record, { own: ['10.1.0.2'], more: ['10.1.0.3\tdb'], hostGateways: ['10.1.0.1'] }).split(
    '\n',
  );
  expect(lines).toEqual(
    expect.arrayContaining([
      '1.2.3.4\ta',
      'fd00::1\tsix',
      '10.1.0.1\tgw',
      '10.1.0.3\tdb',
      '10.1.0.2\thost.example.org host',
    ]),
  );
});

test('resolv.conf: what only the host reaches is left out; a name service comes first and alone', () => {
  const host = readResolver(
    'nameserver 127.0.0.53\nnameserver 9.9.9.9 # x\nnameserver fd00::5\nsearch a b\noptions edns0\n',
  );
  expect(resolvFile(sandbox(), none, '', host)).toContain('\nnameserver 9.9.9.9\nsearch a b\noptions edns0\n');
  expect(resolvFile(sandbox(), none, '', readResolver('nameserver ::1\n'))).toContain('\nnameserver 8.8.8.8\n');
  const named = resolvFile(sandbox({ dns: ['1.1.1.1'], dnsSearch: ['.'] }), none, '10.1.0.1', host);
  expect(named).toContain('\nnameserver 10.1.0.1\noptions edns0 ndots:0\n');
  expect(resolvFile(sandbox(), { ...none, dns: ['5.5.5.5'] }, '', host)).toContain('\nnameserver 5.5.5.5\n');
});

test('ports: ranges, -P, and what is shown of them', () => {
  const ports = requestedPorts({ '80/tcp': [{ HostPort: '8000-8010' }], '81/udp': null }, ['80/tcp', '82'], true);
  expect(ports).toEqual([
    { Proto: 6, IP: '', Port: 80, HostIP: '', HostPort: 8000, HostPortEnd: 8010 },
    { Proto: 6, IP: '', Port: 82, HostIP: '', HostPort: 0, HostPortEnd: 0 },
    { Proto: 17, IP: '', Port: 81, HostIP: '', HostPort: 0, HostPortEnd: 0 },
  ]);
  expect(portMap(['80/tcp', '82'], [{ Proto: 6, Port: 80, HostIP: '0.0.0.0', HostPort: 8003 }])).toEqual({
    '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8003' }],
    '82/tcp': null,
  });
  for (const HostPort of ['9-8', '0-8', '-8']) {
    expect(() => requestedPorts({ '80/tcp': [{ HostPort }] }, [], false)).toThrow(
      `invalid port specification: "${HostPort}"`,
    );
  }
});
