import type { AuthorizationRequest } from '@cleat/protocol/kinds/authz';
import { describe, expect, test } from 'vitest';
import { actionNames, actions } from './actions.js';
import { askedOf } from './asked.js';
import { ownerOf } from './caller.js';
import { type Demand, settings } from './demand.js';

/** As a stock engine shows a request: with the client's own spelling, and without a caller. */
function message(request: string, body?: object | string, headers: Record<string, string> = {}): AuthorizationRequest {
  const [RequestMethod = '', RequestUri = ''] = request.split(' ');
  const text = typeof body === 'object' ? JSON.stringify(body) : (body ?? '');
  return {
    RequestMethod,
    RequestUri,
    RequestHeaders: headers,
    ...(text !== '' && { RequestBody: Buffer.from(text).toString('base64') }),
  };
}

/** In a word each: `privileged container`, `use volume data`, `change container db`. */
function demands(request: string, body?: object | string): string[] {
  return askedOf(message(request, body)).demands.map(inWords);
}

function inWords(demand: Demand): string {
  switch (demand.what) {
    case 'setting':
      return `${demand.setting} ${demand.value}`;
    case 'object':
      return `${demand.use} ${demand.type} ${demand.name}${demand.takes ? ' with mounts' : ''}${demand.everyTag ? ' in all tags' : ''}`;
    case 'create':
      return `create ${demand.type} ${demand.name} ${JSON.stringify(demand.labels ?? 'unseen')}`;
    case 'name':
      return `name ${demand.type} ${demand.name}`;
    case 'all':
      return `all ${demand.type} ${demand.labels.join(' ')}`;
    case 'amount':
      return `${demand.amount} ${demand.value ?? 'unbounded'}`;
  }
}

const create = 'POST /v1.44/containers/create?name=new';
const plain = [
  'create container new {}',
  'use image x',
  'use network bridge',
  'memory unbounded',
  'cpus unbounded',
  'pids unbounded',
];

test('every action has one effect, and every setting says what its values are', () => {
  for (const name of actionNames) {
    expect(new Set(actions.filter((one) => one.name === name).map(({ effect }) => effect)).size, name).toBe(1);
    expect(name).toMatch(/^[a-z]+:[a-z-]+$/);
  }
  for (const help of Object.values(settings)) expect(help).toMatch(/: `.+`/);
});

test('a plain create asks for nothing beyond its walls', () => {
  expect(demands(create, { Image: 'x' }).sort()).toEqual(plain.toSorted());
  const asClientsSend = {
    Binds: null,
    Mounts: [],
    CapAdd: null,
    Privileged: false,
    PidMode: '',
    IpcMode: '',
    Runtime: '',
    MaskedPaths: null,
    Devices: [],
    OomKillDisable: false,
    MemorySwappiness: -1,
    LogConfig: { Type: '', Config: {} },
    NetworkMode: 'default',
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    ConsoleSize: [1, 2],
  };
  expect(demands(create, { Image: 'x', HostConfig: asClientsSend }).sort()).toEqual(plain.toSorted());
});

/** Members of HostConfig, and what each asks for. */
const hosts: [object, string | string[]][] = [
  [{ Privileged: true }, 'privileged container'],
  [{ CapAdd: ['ALL'] }, 'capabilities ALL'],
  [{ CapAdd: ['CAP_SYS_ADMIN', 'net_admin'] }, ['capabilities SYS_ADMIN', 'capabilities NET_ADMIN']],
  [{ CapAdd: 'sys_ptrace' }, 'capabilities SYS_PTRACE'],
  [{ Capabilities: ['SYS_ADMIN'] }, 'capabilities SYS_ADMIN'],
  [{ Devices: [{ PathOnHost: '/dev/sda', PathInContainer: '/dev/x' }] }, 'devices /dev/sda'],
  [{ DeviceRequests: [{ Driver: 'cdi', DeviceIDs: ['v.com/gpu=0'] }] }, 'devices request:cdi:v.com/gpu=0'],
  [{ DeviceRequests: [{ Count: -1, Capabilities: [['gpu']] }] }, 'devices request::*'],
  [{ DeviceCgroupRules: ['a *:* rwm'] }, 'devices rule:a *:* rwm'],
  [{ PidMode: 'host' }, 'namespaces pid'],
  [{ IpcMode: 'host' }, 'namespaces ipc'],
  [{ UTSMode: 'host' }, 'namespaces uts'],
  [{ UsernsMode: 'host' }, 'namespaces user'],
  [{ CgroupnsMode: 'host' }, 'namespaces cgroup'],
  [{ NetworkMode: 'host' }, 'namespaces network'],
  [{ PidMode: 'container:db' }, 'change container db'],
  [{ IpcMode: 'container:db' }, 'change container db'],
  [{ NetworkMode: 'container:/db' }, 'change container db'],
  [{ VolumesFrom: ['db:ro'] }, 'change container db with mounts'],
  [{ Links: ['db:alias'] }, 'change container db'],
  [{ SecurityOpt: ['seccomp=unconfined'] }, 'security-options seccomp=unconfined'],
  [{ SecurityOpt: ['apparmor:unconfined'] }, 'security-options apparmor=unconfined'],
  [{ SecurityOpt: ['no-new-privileges'] }, 'security-options no-new-privileges'],
  [{ SecurityOpt: ['seccomp={"defaultAction":"x"}'] }, 'security-options seccomp=profile'],
  [
    { SecurityOpt: ['systempaths=unconfined', 'label:disable'] },
    ['security-options systempaths=unconfined', 'security-options label=disable'],
  ],
  [{ MaskedPaths: [] }, 'unmasked masked'],
  [{ ReadonlyPaths: [] }, 'unmasked readonly'],
  [{ CgroupParent: '/system.slice' }, 'cgroup-parents /system.slice'],
  [{ Sysctls: { 'kernel.shm_rmid_forced': '1' } }, 'sysctls kernel.shm_rmid_forced=1'],
  [{ Runtime: 'mine' }, 'runtimes mine'],
  [{ GroupAdd: ['0'] }, 'groups 0'],
  [{ Annotations: { 'run.oci.handler': 'krun' } }, 'annotations run.oci.handler=krun'],
  [{ LogConfig: { Type: 'syslog' } }, 'log-drivers syslog'],
  [{ OomKillDisable: true }, 'kernel-scheduling oom'],
  [{ OomScoreAdj: -500 }, 'kernel-scheduling oom'],
  [{ CpuRealtimeRuntime: 1 }, 'kernel-scheduling realtime'],
  [{ Binds: ['/:/host'] }, 'host-paths /'],
  [{ Binds: ['/etc/../etc/:/host:ro,rslave'] }, ['host-paths /etc:ro', 'propagation rslave']],
  [{ Binds: ['data:/data'] }, 'use volume data'],
  [{ Binds: ['../x:/data'] }, 'host-paths ../x'],
  [{ Binds: ['/data'] }, 'use volume '],
  [{ Mounts: [{ Type: 'bind', Source: '/etc', Target: '/host', ReadOnly: true }] }, 'host-paths /etc:ro'],
  [
    { Mounts: [{ Type: 'bind', Source: '/x', Target: '/h', BindOptions: { Propagation: 'rshared' } }] },
    ['host-paths /x', 'propagation rshared'],
  ],
  [{ Mounts: [{ Type: 'volume', Source: 'data', Target: '/d' }] }, 'use volume data'],
  [
    {
      Mounts: [
        {
          Type: 'volume',
          Target: '/d',
          VolumeOptions: { DriverConfig: { Name: 'local', Options: { type: 'none', o: 'bind', device: '/' } } },
        },
      ],
    },
    [
      'use volume ',
      'volume-drivers local',
      'volume-options type=none',
      'volume-options o=bind',
      'volume-options device=/',
    ],
  ],
  [{ Mounts: [{ Type: 'image', Source: 'busybox', Target: '/i' }] }, 'use image busybox'],
  [{ Mounts: [{ Type: 'tmpfs', Target: '/t' }] }, []],
  [{ Mounts: [{ Type: 'npipe', Source: 'x', Target: '/t' }] }, 'unknown a mount of type "npipe"'],
  [{ Tmpfs: { '/run': 'size=1m' } }, []],
  [{ VolumeDriver: 'mine' }, 'volume-drivers mine'],
  [{ StorageOpt: { size: '1G' } }, 'storage-options size=1G'],
  [{ PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }] } }, 'ports 127.0.0.1:8080/tcp'],
  [{ PortBindings: { '53/udp': null } }, 'ports :*/udp'],
  [{ PublishAllPorts: true }, 'ports :*/all'],
  [{ SomethingNew: { Deep: [1] } }, 'unknown HostConfig.SomethingNew'],
];

describe('a HostConfig asks for', () => {
  test.each(hosts)('%j', (HostConfig, expected) => {
    const asked = [expected].flat();
    const isNetwork = 'NetworkMode' in HostConfig;
    const usual = plain.filter((one) => !(isNetwork && one === 'use network bridge'));
    expect(demands(create, { Image: 'x', HostConfig }).sort()).toEqual([...usual, ...asked].sort());
    // Go finds keys in any case.
    const small = JSON.stringify({ Image: 'x', HostConfig }).replace(/"(\w+)":/g, (all, key: string) =>
      /^[A-Z]\w+$/.test(key) && !/^SomethingNew|^Deep/.test(key) ? `"${key.toLowerCase()}":` : all,
    );
    expect(demands(create, small.replace('SomethingNew', 'somethingnew')).map((one) => one.toLowerCase())).toEqual(
      expect.arrayContaining(asked.filter((one) => !one.startsWith('unknown')).map((one) => one.toLowerCase())),
    );
  });

  test('beside `HostConfig`, where Go reads its members, too', () => {
    for (const [host, expected] of hosts.filter(([one]) => !('SomethingNew' in one))) {
      expect(demands(create, { Image: 'x', ...host }), JSON.stringify(host)).toEqual(
        expect.arrayContaining([expected].flat()),
      );
    }
    expect(demands(create, { Image: 'x', Privileged: true, HostConfig: {} })).toContain('privileged container');
    // A bound must be where the engine takes it from.
    expect(demands(create, { Image: 'x', PidsLimit: 5, HostConfig: {} })).toContain('pids unbounded');
    expect(demands(create, { Image: 'x', Memory: 5, HostConfig: {} })).toContain('memory 5');
  });
});

test('other members of a create, and other versions of the API', () => {
  expect(demands(create, { Image: 'x', Labels: { 'io.cleat.secret.password': 'keep' } })).toContain(
    'secrets password=keep',
  );
  expect(demands(create, { Image: 'x', Volumes: { '/data': {}, '/:/host': {} } })).toEqual(
    expect.arrayContaining(['use volume ', 'host-paths /']),
  );
  const EndpointsConfig = { front: { DriverOpts: { a: 'b' }, Links: ['db:x'], NetworkID: 'abc' }, host: {} };
  expect(demands(create, { Image: 'x', NetworkingConfig: { EndpointsConfig } })).toEqual(
    expect.arrayContaining([
      'use network front',
      'use network abc',
      'network-options a=b',
      'change container db',
      'namespaces network',
    ]),
  );
  // `default` is the network of the mode, but where a stock engine takes it for a name.
  const networks = (NetworkMode: string) =>
    demands(create, {
      Image: 'x',
      HostConfig: { NetworkMode },
      NetworkingConfig: { EndpointsConfig: { default: {} } },
    }).filter((one) => one.includes('network'));
  expect(networks('default')).toEqual(['use network bridge']);
  expect(networks('mine')).toEqual(['use network mine', 'use network default']);
  // Until API 1.40 the cgroup namespace of the host was the default.
  expect(demands('POST /v1.40/containers/create', { Image: 'x' })).toContain('namespaces cgroup');
  expect(demands('POST /v1.23/containers/x/start', { Binds: ['/:/h'], Privileged: true })).toEqual(
    expect.arrayContaining(['change container x', 'host-paths /', 'privileged container']),
  );
  expect(demands('POST /v1.23/containers/x/start')).toContain('unseen container:start');
  expect(demands('POST /v1.24/containers/x/start', { Binds: ['/:/h'] })).toEqual(['change container x']);
});

test('amounts that may be taken', () => {
  const asked = (HostConfig: object) =>
    demands(create, { Image: 'x', HostConfig }).filter((one) => /^(memory|swap|cpus|pids)/.test(one));
  expect(asked({ Memory: 1024, NanoCpus: 5e8, PidsLimit: 10 })).toEqual(['memory 1024', 'cpus 0.5', 'pids 10']);
  expect(asked({ Memory: 1024, MemorySwap: -1, CpuQuota: 50_000, CpuPeriod: 10_000, PidsLimit: -1 })).toEqual([
    'memory 1024',
    'swap unbounded',
    'cpus 5',
    'pids unbounded',
  ]);
  expect(demands('POST /containers/x/update', { Memory: 7, CpuPeriod: 1000 })).toEqual([
    'change container x',
    'memory 7',
    'cpus unbounded',
  ]);
  expect(demands('POST /containers/x/update', { PidsLimit: 0, Devices: [{ PathOnHost: '/dev/sda' }] })).toEqual([
    'change container x',
    'devices /dev/sda',
    'pids unbounded',
  ]);
  expect(demands('POST /containers/x/update', { RestartPolicy: { Name: 'always' } })).toEqual(['change container x']);
});

test.each<[string, object | undefined, string[]]>([
  ['POST /containers/x/exec', { Privileged: true, Cmd: ['sh'] }, ['change container x', 'privileged exec']],
  ['POST /exec/abc/start', { Detach: true }, ['change exec abc']],
  ['GET /exec/abc/json', undefined, ['look exec abc']],
  ['GET /containers/x/json', undefined, ['look container x']],
  ['GET /containers/x/logs', undefined, ['change container x']],
  ['GET /containers/x/export', undefined, ['change container x']],
  ['GET /containers/x/archive?path=/', undefined, ['change container x']],
  ['GET /containers/x/attach/ws', undefined, ['change container x']],
  ['POST /containers/x/rename?name=y', undefined, ['change container x', 'name container y']],
  ['POST /commit?container=x&repo=r&tag=t', undefined, ['change container x', 'name image r:t']],
  [
    'POST /commit?container=x&repo=r&changes=LABEL%20a=b',
    undefined,
    ['change container x', 'name image r', 'create image r "unseen"'],
  ],
  ['GET /containers/json', undefined, ['all container ']],
  ['GET /containers/json?filters={"label":["a=b","c"]}', undefined, ['all container a=b c']],
  ['POST /containers/prune?filters={"label":{"a=b":true}}', undefined, ['all container a=b']],
  ['POST /containers/prune?filters={"label":{"a=b":false}}', undefined, ['all container ']],
  ['GET /events?filters={"label!":["a=b"]}', undefined, ['all event ']],
  ['GET /system/df', undefined, ['all any ']],
  ['POST /build/prune', undefined, ['all any ']],
  ['POST /images/create?fromImage=x&tag=1', undefined, ['use image x:1']],
  ['POST /images/create?fromImage=x&tag=sha256:ab', undefined, ['use image x@sha256:ab']],
  [
    'POST /images/create?fromSrc=http://e.org/a&repo=r',
    undefined,
    ['unseen image:import', 'remotes http://e.org/a', 'name image r'],
  ],
  ['POST /images/load', undefined, ['unseen image:load']],
  ['GET /distribution/169.254.169.254/x/json', undefined, ['look image 169.254.169.254/x']],
  ['GET /images/search?term=busybox', undefined, []],
  ['GET /images/search?term=169.254.169.254/x', undefined, ['remotes 169.254.169.254/x']],
  ['GET /images/get?names=a&names=b', undefined, ['use image a in all tags', 'use image b in all tags']],
  ['POST /images/a/b/tag?repo=r&tag=t', undefined, ['use image a/b', 'name image r:t']],
  ['POST /images/r/push?tag=t', undefined, ['use image r:t', 'name image r:t']],
  ['POST /images/r/push', undefined, ['use image r in all tags', 'name image r']],
  ['POST /images/create?fromImage=x', undefined, ['use image x in all tags']],
  ['GET /images/a/b:1/get', undefined, ['use image a/b:1']],
  ['POST /containers/x/start?checkpoint=c&checkpoint-dir=/etc', undefined, ['change container x', 'host-paths /etc']],
  [
    'POST /containers/x/checkpoints',
    { CheckpointID: 'c', CheckpointDir: '/etc' },
    ['change container x', 'host-paths /etc'],
  ],
  ['GET /containers/x/checkpoints?dir=/etc', undefined, ['look container x', 'host-paths /etc']],
  ['DELETE /containers/x/checkpoints/c?dir=/etc', undefined, ['change container x', 'host-paths /etc']],
  ['DELETE /images/r', undefined, ['change image r']],
  [
    'POST /volumes/create',
    { Name: 'v', Driver: 'local', DriverOpts: { type: 'none', o: 'bind', device: '/' }, Labels: { a: 'b' } },
    [
      'create volume v {"a":"b"}',
      'look volume v',
      'volume-drivers local',
      'volume-options type=none',
      'volume-options o=bind',
      'volume-options device=/',
    ],
  ],
  [
    'POST /networks/create',
    { Name: 'n', Driver: 'macvlan', Options: { parent: 'eth0' }, ConfigFrom: { Network: 'm' } },
    ['create network n {}', 'network-drivers macvlan', 'network-options parent=eth0', 'use network m'],
  ],
  [
    'POST /networks/create',
    { Name: 'n', IPAM: { Config: [{ Subnet: '8.8.8.0/24' }, { Subnet: 'fd00::/64' }, {}] } },
    ['create network n {}', 'network-drivers bridge', 'subnets 8.8.8.0/24', 'subnets fd00::/64'],
  ],
  [
    'POST /networks/n/connect',
    { Container: 'c', EndpointConfig: { Links: ['d:e'] } },
    ['use network n', 'change container c', 'change container d'],
  ],
  ['POST /networks/n/disconnect', { Container: 'c' }, ['use network n', 'change container c']],
  [
    'POST /build?t=a&t=b&networkmode=host&remote=http://e.org/x.git&cgroupparent=/x&securityopt=["a=b"]',
    undefined,
    [
      'create image a {}',
      'name image a',
      'name image b',
      'namespaces network',
      'remotes http://e.org/x.git',
      'cgroup-parents /x',
      'security-options ["a=b"]',
      'memory unbounded',
      'cpus unbounded',
    ],
  ],
  [
    'POST /build?networkmode=container:x&labels={"a":"b"}&memory=5&cpuquota=50000',
    undefined,
    ['create image  {"a":"b"}', 'change container x', 'memory 5', 'cpus 0.5'],
  ],
  [
    'POST /build?version=2&remote=client-session&session=x',
    undefined,
    ['create image  {}', 'use network bridge', 'unseen build:buildkit', 'memory unbounded', 'cpus unbounded'],
  ],
  ['POST /grpc', undefined, ['unseen build:buildkit']],
  ['POST /session', undefined, ['unseen build:buildkit']],
  ['POST /plugins/pull?remote=x', undefined, ['unseen plugin:install']],
  ['POST /plugins/p/set', undefined, ['unseen plugin:set', 'change plugin p']],
  ['POST /services/create', {}, ['unseen swarm:change']],
  ['POST /swarm', undefined, ['unseen swarm:change']],
])('%s', (request, body, expected) => {
  expect(demands(request, body).sort()).toEqual(expected.toSorted());
});

test.each([
  'GET /containers//json',
  'GET /containers/x/../y/json',
  'GET /containers/%zz/json',
  'GET containers/json',
  'GET /containers/json?a;b',
  'GET /containers/json?a=%zz',
])('a target that could be understood in two ways is refused: %s', (request) => {
  expect(() => askedOf(message(request)).demands).toThrow();
});

test('one target in all its spellings', () => {
  for (const uri of [
    '/containers/web/stop',
    '/v1.20/containers/web/stop',
    '/v1.99/containers/%77eb/stop',
    '/containers%2Fweb/stop?t=1',
  ]) {
    expect(askedOf(message(`POST ${uri}`))).toMatchObject({
      action: { name: 'container:stop' },
      path: '/containers/web/stop',
    });
  }
});

test.each([
  ['twice', '{"Image":"x","HostConfig":{"Privileged":true},"HostConfig":{}}'],
  ['in two cases', '{"Image":"x","HostConfig":{"Privileged":true},"hostConfig":{}}'],
  ['escaped', '{"Image":"x","HostConfig":{"Privileged":true},"Ho\\u0073tConfig":{}}'],
  ['that Go folds', '{"Image":"x","Ho\\u017ftConfig":{"Privileged":true}}'],
  ['in a second value', '{"Image":"x"} {"HostConfig":{"Privileged":true}}'],
  ['in a list', '["Image"]'],
  ['of nothing', 'null'],
  ['not shown', ''],
  ['of another type', '{"Image":"x","HostConfig":[]}'],
])('a body with a key %s is refused', (_how, body) => {
  expect(() => demands(create, body)).toThrow();
});

test('fields of a form, which a stock engine reads before the query, are refused', () => {
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
  expect(() => askedOf(message('POST /containers/prune', 'filters=', form)).demands).toThrow('form');
  expect(() => demands('POST /containers/prune?filters={}&filters={"label":["a"]}')).toThrow('several values');
  expect(() => demands('GET /events?filters={"label":["a"],"label":["b"]}')).toThrow('twice');
});

test('a caller in one word', () => {
  const process = { PID: 1, UID: 1000, GID: 1000, Groups: [] };
  expect(ownerOf({ Method: 'TLS', User: 'alice' })).toBe('user:alice');
  expect(ownerOf({ Method: 'unix', User: 'alice', Within: 'host', Process: process })).toBe('unix:alice');
  expect(ownerOf({ Method: 'unix', User: '0', Within: 'container', Container: { ID: 'abc', Name: 'web' } })).toBe(
    'container:abc',
  );
  expect(ownerOf({ Method: 'unix', User: '0', Within: 'plugin', Plugin: { ID: 'abc', Name: 'p' } })).toBe('plugin:p');
  for (const caller of [
    { Method: 'none', User: '' },
    { Method: 'TLS', User: '' },
    { Method: 'unix', User: 'root', Within: 'unknown' },
  ]) {
    expect(ownerOf(caller)).toBeUndefined();
  }
});
