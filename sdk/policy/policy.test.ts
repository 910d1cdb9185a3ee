import type { Caller } from '@cleat/protocol/caller';
import { describe, expect, test } from 'vitest';
import type { FoundObject, Objects } from '../authz/objects.js';
import { decide } from './decide.js';
import { policyOf } from './policy.js';
import { messageFor } from './policy-test.js';
import { runTests } from './run-tests.js';

const tls = (User: string, ...Names: string[]): Caller => ({ Method: 'TLS', User, Names });
const unix = (User: string, UID: number, ...Groups: number[]): Caller => ({
  Method: 'unix',
  User,
  Within: 'host',
  Process: { PID: 1, UID, GID: UID, Groups },
});
const inContainer: Caller = {
  Method: 'unix',
  User: '0',
  Within: 'container',
  Container: { ID: 'c'.repeat(64), Name: 'agent' },
  Process: { PID: 1, UID: 0, GID: 0, Groups: [0] },
};
const [alice, bob] = [tls('alice'), tls('bob')];
const label = 'com.cleat.owner';

/** As much of an engine as rules ask for. */
const known: Record<string, Partial<FoundObject>> = {
  'container/alices': { labels: { [label]: 'user:alice' } },
  'container/bobs': { labels: { [label]: 'user:bob' }, hostPaths: ['/etc'] },
  'container/old': { labels: {} },
  [`container/${'c'.repeat(64)}`]: { labels: { role: 'agent' } },
  'exec/of-alice': { labels: { [label]: 'user:alice' } },
  'exec/of-bob': { labels: { [label]: 'user:bob' } },
  'volume/alices': { labels: { [label]: 'user:alice' }, driver: 'local', options: {} },
  'volume/bobs': { labels: { [label]: 'user:bob' } },
  'volume/door': {
    labels: { [label]: 'user:alice' },
    driver: 'local',
    options: { type: 'none', o: 'bind', device: '/' },
  },
  'network/alices': { labels: { [label]: 'user:alice' } },
  'network/bobs': { labels: { [label]: 'user:bob' } },
  'network/bridge': { labels: {} },
  'network/abc123': { labels: {}, names: ['host'], driver: 'host' },
  'image/alices:latest': { labels: { [label]: 'user:alice' }, names: ['alices:latest'] },
  'image/busybox': { labels: {}, names: ['busybox:latest'], volumes: 0 },
  'image/cafe': { labels: {}, names: ['evil:latest'] },
  'image/postgres': { labels: {}, names: ['postgres:latest'], volumes: 1 },
  'image/alices': { labels: { [label]: 'user:alice' }, names: ['alices:latest'] },
  'image/bobs:latest': { labels: { [label]: 'user:bob' }, names: ['bobs:latest'] },
};
const objects: Objects = {
  async find(type, name) {
    const found = known[`${type}/${name}`];
    return found && { id: `ID of ${name}`, labels: {}, names: [name], ...found };
  },
};

const groups = { docker: 999 };
type Rules = Record<string, unknown>[];
async function ask(rules: Rules, caller: Caller, request: string, body?: object, more = {}) {
  const policy = policyOf({ rules }, (name) => groups[name as keyof typeof groups]);
  const [method = '', uri = ''] = request.split(' ');
  const text = body === undefined ? '' : JSON.stringify(body);
  return await decide(policy, messageFor({ method, uri, body: text, caller }), { objects, ...more });
}

describe('callers', () => {
  const say = async (callers: string | string[], caller: Caller) =>
    (await ask([{ callers, allow: 'system:info' }], caller, 'GET /info')).allow;
  const all: Record<string, Caller> = {
    alice,
    bob,
    ci: tls('ci', 'DNS:ci.example.org'),
    'root by TLS': tls('root'),
    root: unix('root', 0),
    carol: unix('carol', 1000),
    'carol in docker': unix('carol', 1000, 999),
    agent: inContainer,
    plugin: { Method: 'unix', User: '0', Within: 'plugin', Plugin: { ID: 'x', Name: 'p:latest' } },
    gone: { Method: 'unix', User: 'root', Within: 'unknown', Process: { PID: 0, UID: 0, GID: 0, Groups: [] } },
    nobody: { Method: 'none', User: '' },
  };

  test.each([
    ['user:alice', ['alice']],
    ['user:*i*', ['alice', 'ci']],
    ['san:DNS:ci.*', ['ci']],
    ['unix:root', ['root']],
    ['unix:1000', ['carol', 'carol in docker']],
    ['unix-group:docker', ['carol in docker']],
    ['unix-group:0', ['root']],
    ['container:agent', ['agent']],
    [`container:${'c'.repeat(64)}`, ['agent']],
    ['container-label:role=*', ['agent']],
    ['plugin:p*', ['plugin']],
    ['none', ['nobody']],
    ['unknown', ['gone']],
    ['any', Object.keys(all)],
  ])('%s: %j', async (callers, those) => {
    const found = [];
    for (const [name, caller] of Object.entries(all)) if (await say(callers, caller)) found.push(name);
    expect(found).toEqual(those);
  });
});

test('one rule that grants all is enough, one that denies is too, and order does not matter', async () => {
  const rules: Rules = [
    { name: 'look', callers: 'any', allow: '@look' },
    { name: 'admins', callers: 'user:alice', allow: '*', within: 'unlimited' },
    { name: 'guard', deny: '*', unless: { privileged: false } },
    { name: 'no swarm', callers: 'user:bob', deny: 'swarm:*' },
  ];
  for (const order of [rules, rules.toReversed()]) {
    expect(await ask(order, bob, 'GET /info')).toMatchObject({ allow: true, rule: 'look' });
    expect(await ask(order, bob, 'POST /containers/x/stop')).toMatchObject({
      allow: false,
      rule: undefined,
      reason: 'no rule allows container:stop to bob (TLS)',
    });
    expect(await ask(order, alice, 'POST /plugins/p/disable')).toMatchObject({ allow: true, rule: 'admins' });
    const privileged = { Image: 'busybox', HostConfig: { Privileged: true } };
    expect(await ask(order, alice, 'POST /containers/create', privileged)).toMatchObject({
      allow: false,
      rule: 'guard',
      reason: 'privileged "container" is not granted',
    });
    expect(await ask(order, bob, 'GET /services')).toMatchObject({ allow: false });
    expect(await ask(order, alice, 'GET /no-such-route')).toMatchObject({ allow: true, rule: 'admins' });
    expect(await ask(order, bob, 'GET /no-such-route')).toMatchObject({ allow: false });
  }
});

/** Requests beyond the walls, which a rule grants only where it says so: the setting, its value, and the request. */
const beyond: [string, unknown, object][] = [
  ['privileged', true, { Privileged: true }],
  ['capabilities', ['net_admin'], { CapAdd: ['CAP_NET_ADMIN'] }],
  ['capabilities', ['ALL'], { CapAdd: ['SYS_ADMIN'] }],
  ['devices', '/dev/fuse', { Devices: [{ PathOnHost: '/dev/fuse' }] }],
  ['namespaces', ['pid'], { PidMode: 'host' }],
  ['security-options', 'seccomp=unconfined', { SecurityOpt: ['seccomp:unconfined'] }],
  ['unmasked', true, { MaskedPaths: [] }],
  ['cgroup-parents', '/mine*', { CgroupParent: '/mine.slice' }],
  ['sysctls', 'net.*', { Sysctls: { 'net.x': '1' } }],
  ['runtimes', 'runsc', { Runtime: 'runsc' }],
  ['groups', '1000', { GroupAdd: ['1000'] }],
  ['annotations', 'a=*', { Annotations: { a: 'b' } }],
  ['log-drivers', 'syslog', { LogConfig: { Type: 'syslog' } }],
  ['kernel-scheduling', 'oom', { OomScoreAdj: -1 }],
  ['host-paths', '/srv/data', { Binds: ['/srv/data/:/d'] }],
  ['host-paths', '/srv/*:ro', { Mounts: [{ Type: 'bind', Source: '/srv/x', Target: '/d', ReadOnly: true }] }],
  ['volume-drivers', 'mine', { VolumeDriver: 'mine' }],
  [
    'volume-options',
    ['type=tmpfs'],
    { Mounts: [{ Type: 'volume', Target: '/d', VolumeOptions: { DriverConfig: { Options: { type: 'tmpfs' } } } }] },
  ],
  ['storage-options', 'x=*', { StorageOpt: { x: 'y' } }],
];

test.each(beyond)('%s: %j', async (setting, value, HostConfig) => {
  const body = { Image: 'busybox', HostConfig };
  const rule = { callers: 'any', allow: 'container:create' };
  expect(await ask([rule], bob, 'POST /containers/create', body)).toMatchObject({
    allow: false,
    reason: expect.stringContaining(setting),
  });
  expect(await ask([{ ...rule, within: { [setting]: value } }], bob, 'POST /containers/create', body)).toMatchObject({
    allow: true,
  });
  expect(await ask([{ ...rule, within: 'unlimited' }], bob, 'POST /containers/create', body)).toMatchObject({
    allow: true,
  });
  expect(
    await ask(
      [
        { ...rule, within: 'unlimited' },
        { deny: '*', unless: { [setting]: 'none' } },
      ],
      bob,
      'POST /containers/create',
      body,
    ),
  ).toMatchObject({ allow: false });
});

test('paths of the host: exact ones, below one without a symbolic link, read-only', async () => {
  const say = async (granted: string, bind: string, isPlainPath?: (path: string, below: string) => Promise<boolean>) =>
    (
      await ask(
        [{ callers: 'any', allow: 'container:create', within: { 'host-paths': granted } }],
        bob,
        'POST /containers/create',
        { Image: 'busybox', HostConfig: { Binds: [`${bind}`] } },
        { isPlainPath },
      )
    ).allow;
  expect(await say('/srv', '/srv:/d')).toBe(true);
  expect(await say('/srv', '/srv/x:/d')).toBe(false);
  expect(await say('/srv', '/srv:/d:ro')).toBe(true);
  expect(await say('/srv:ro', '/srv:/d')).toBe(false);
  expect(await say('/srv/*', '/srv/../etc:/d')).toBe(false);
  expect(await say('/srv/*', '/srvx:/d')).toBe(false);
  const looked: string[][] = [];
  const plain =
    (answer: boolean) =>
    async (...args: [string, string]) => {
      looked.push(args);
      return answer;
    };
  expect(await say('/srv/*', '/srv/a/b:/d', plain(true))).toBe(true);
  expect(await say('/srv/*', '/srv/a/b:/d', plain(false))).toBe(false);
  expect(looked).toEqual([
    ['/srv/a/b', '/srv'],
    ['/srv/a/b', '/srv'],
  ]);
});

describe('only what I made', () => {
  const rule = {
    callers: 'user:*',
    allow: '*',
    within: { owner: 'self', images: ['busybox', 'base:*'], networks: 'bridge' },
  };
  const mine = { [label]: 'user:alice' };
  const body = (HostConfig: object = {}, more: object = {}) => ({
    Image: 'busybox',
    Labels: mine,
    HostConfig,
    ...more,
  });
  const create = 'POST /containers/create';
  const filter = encodeURIComponent(JSON.stringify({ label: [`${label}=user:alice`] }));

  test.each<[string, object?]>([
    [create, body()],
    [create, body({}, { Image: 'base:7' })],
    [create, body({}, { Image: 'alices' })],
    [create, body({ Binds: ['alices:/d', '/anonymous'] })],
    [create, body({ Mounts: [{ Type: 'volume', Source: 'fresh', Target: '/d', VolumeOptions: { Labels: mine } }] })],
    [create, body({ NetworkMode: 'container:alices' })],
    [create, body({ NetworkMode: 'alices' })],
    [create, body({ VolumesFrom: ['alices'] })],
    ['POST /containers/alices/stop'],
    ['DELETE /containers/alices?force=1'],
    ['GET /containers/alices/logs'],
    ['GET /containers/alices/archive?path=/etc'],
    ['POST /containers/alices/rename?name=x'],
    ['POST /exec/of-alice/start', {}],
    ['GET /containers/nothing/json'],
    [`GET /containers/json?filters=${filter}`],
    [`GET /events?filters=${filter}`],
    [`POST /volumes/prune?filters=${filter}`],
    ['POST /volumes/create', { Name: 'v', Labels: mine }],
    ['POST /networks/create', { Name: 'n', Labels: mine }],
    ['POST /networks/alices/connect', { Container: 'alices' }],
    ['DELETE /networks/alices'],
    [`POST /build?t=fresh&labels=${encodeURIComponent(JSON.stringify(mine))}`],
    ['POST /commit?container=alices&repo=fresh'],
    ['POST /images/create?fromImage=busybox&tag=latest'],
    ['POST /images/alices/tag?repo=fresh'],
    ['DELETE /images/alices'],
    ['POST /images/alices/push?tag=latest'],
    ['POST /networks/bridge/connect', { Container: 'alices' }],
    ['POST /images/create?fromImage=base&tag=9'],
    ['GET /images/busybox/json'],
    ['GET /info'],
  ])('alice may %s %j', async (request, given) => {
    expect(await ask([rule], alice, request, given)).toMatchObject({ allow: true });
  });

  test.each<[string, object | undefined, string]>([
    [create, { Image: 'busybox' }, 'it has none): add --label com.cleat.owner=user:alice'],
    [create, { Image: 'busybox', Labels: { [label]: 'user:bob' } }, 'it says com.cleat.owner=user:bob'],
    [create, body({}, { Image: 'postgres' }), 'image postgres has no label'],
    // The prefix of an ID, which looks like a name that is granted.
    [create, body({}, { Image: 'cafe' }), 'image cafe has no label'],
    [create, body({ Binds: ['bobs:/d'] }), 'volume bobs is of user:bob, not yours'],
    [create, body({ Binds: ['fresh:/d'] }), 'volume fresh is not there: make it first'],
    [
      create,
      body({ Mounts: [{ Type: 'volume', Source: 'bobs', Target: '/d', VolumeOptions: { Labels: mine } }] }),
      'not yours',
    ],
    [create, body({ Binds: ['door:/d'] }), 'volume-options "type=none" is not granted'],
    [create, body({ NetworkMode: 'container:bobs' }), 'container bobs is of user:bob'],
    [create, body({ PidMode: 'container:bobs' }), 'container bobs is of user:bob'],
    [create, body({ VolumesFrom: ['bobs'] }), 'host-paths "/etc" is not granted'],
    [create, body({ Links: ['bobs:b'] }), 'container bobs is of user:bob'],
    [create, body({ NetworkMode: 'bobs' }), 'network bobs is of user:bob'],
    [create, body({}, { NetworkingConfig: { EndpointsConfig: { x: { NetworkID: 'bobs' } } } }), 'No such network: x'],
    ['POST /containers/bobs/stop', undefined, 'container bobs is of user:bob, not yours'],
    ['POST /containers/old/stop', undefined, 'has no label'],
    ['POST /containers/nothing/stop', undefined, 'No such container: nothing'],
    ['GET /containers/bobs/json', undefined, 'not yours'],
    ['GET /containers/bobs/logs', undefined, 'not yours'],
    ['GET /containers/bobs/export', undefined, 'not yours'],
    ['GET /containers/bobs/archive?path=/', undefined, 'not yours'],
    ['PUT /containers/bobs/archive?path=/', undefined, 'not yours'],
    ['POST /containers/bobs/attach', undefined, 'not yours'],
    ['POST /containers/bobs/restart', undefined, 'not yours'],
    ['POST /containers/bobs/rename?name=x', undefined, 'not yours'],
    ['POST /containers/bobs/exec', { Cmd: ['sh'] }, 'not yours'],
    ['POST /exec/of-bob/start', {}, 'not yours'],
    ['POST /exec/of-bob/resize?h=1&w=1', undefined, 'not yours'],
    ['POST /containers/alices/exec', { Cmd: ['sh'], Privileged: true }, 'privileged "exec"'],
    ['POST /containers/alices/update', { Devices: [{ PathOnHost: '/dev/sda' }] }, 'devices'],
    ['POST /commit?container=bobs', undefined, 'not yours'],
    ['POST /commit?container=alices&changes=LABEL%20com.cleat.owner%3Duser:bob', undefined, 'cannot be judged'],
    ['GET /containers/json', undefined, 'add --filter label=com.cleat.owner=user:alice'],
    ['GET /containers/json?filters={"label":["com.cleat.owner"]}', undefined, 'add --filter'],
    ['GET /containers/json?filters={"label":["com.cleat.owner=user:bob"]}', undefined, 'add --filter'],
    ['GET /events', undefined, 'add --filter'],
    ['POST /containers/prune', undefined, 'add --filter'],
    ['POST /images/prune?filters={"dangling":["false"]}', undefined, 'add --filter'],
    ['GET /system/df', undefined, 'has no filter'],
    ['POST /build/prune', undefined, 'has no filter'],
    ['POST /volumes/create', { Name: 'v' }, 'add --label'],
    [
      'POST /volumes/create',
      { Name: 'v', Labels: mine, DriverOpts: { type: 'none', o: 'bind', device: '/' } },
      'volume-options',
    ],
    ['DELETE /volumes/bobs', undefined, 'not yours'],
    ['POST /networks/create', { Name: 'n', Labels: mine, Driver: 'macvlan' }, 'network-drivers "macvlan"'],
    ['POST /networks/bobs/connect', { Container: 'alices' }, 'network bobs is of user:bob'],
    ['POST /networks/bridge/disconnect', { Container: 'bobs' }, 'container bobs is of user:bob'],
    [create, body({ NetworkMode: 'abc123' }), 'namespaces "network" is not granted'],
    ['POST /images/create?fromImage=alices&tag=latest', undefined, 'image alices:latest is not among those granted'],
    ['POST /images/create?fromImage=busybox', undefined, 'image busybox is not among those granted'],
    ['GET /distribution/169.254.169.254/x/json', undefined, 'not among those granted'],
    [create, body({}, { Labels: { ...mine, 'io.cleat.secret.password': 'keep' } }), 'secrets "password=keep"'],
    ['GET /images/get?names=alices', undefined, 'stands for all of its tags'],
    ['POST /images/alices/push', undefined, 'stands for all of its tags'],
    ['DELETE /networks/bridge', undefined, 'has no label'],
    ['POST /build?t=fresh', undefined, 'add --label'],
    [
      `POST /build?networkmode=host&labels=${encodeURIComponent(JSON.stringify(mine))}`,
      undefined,
      'namespaces "network"',
    ],
    [
      `POST /build?t=bobs:latest&labels=${encodeURIComponent(JSON.stringify(mine))}`,
      undefined,
      'the image bobs:latest is of user:bob',
    ],
    ['POST /images/alices/tag?repo=bobs&tag=latest', undefined, 'the image bobs:latest is of user:bob'],
    ['DELETE /images/busybox', undefined, 'not yours'],
    ['POST /images/create?fromImage=evil', undefined, 'image evil is not among those granted'],
    ['POST /images/load', undefined, 'unseen "image:load"'],
    ['POST /grpc', undefined, 'unseen "build:buildkit"'],
    ['POST /plugins/pull?remote=x', undefined, 'unseen "plugin:install"'],
    ['POST /plugins/authz-policy/disable', undefined, 'unseen "plugin:disable"'],
    ['POST /plugins/authz-policy/set', undefined, 'unseen "plugin:set"'],
    ['DELETE /plugins/authz-policy', undefined, 'unseen "plugin:remove"'],
    ['POST /swarm/init', {}, 'unseen "swarm:change"'],
    ['POST /services/create', {}, 'unseen "swarm:change"'],
  ])('alice may not %s %j', async (request, given, why) => {
    const { allow, reason } = await ask([rule], alice, request, given);
    expect({ allow, reason }).toEqual({ allow: false, reason: expect.stringContaining(why) });
  });

  test('a caller who cannot own anything has nothing, and a team’s label is a value that is written out', async () => {
    const anybody = [{ callers: 'any', allow: '*', within: { owner: 'self' } }];
    const nobody: Caller = { Method: 'none', User: '' };
    known['container/odd'] = { labels: { [label]: '' } };
    for (const name of ['odd', 'old'])
      expect((await ask(anybody, nobody, `POST /containers/${name}/stop`)).allow).toBe(false);
    const team = [{ callers: 'any', allow: '*', within: { owner: ['user:alice', 'team-*'] } }];
    expect((await ask(team, bob, 'POST /containers/alices/stop')).allow).toBe(true);
    expect((await ask(team, bob, 'POST /containers/bobs/stop')).allow).toBe(false);
    known['container/bare'] = { labels: { [label]: 'bob' } };
    const bare = [{ callers: 'any', allow: '*', within: { owner: ['{user}', 'container:{user}'] } }];
    expect((await ask(bare, bob, 'POST /containers/bare/stop')).allow).toBe(true);
    expect((await ask(bare, alice, 'POST /containers/bare/stop')).allow).toBe(false);
    expect((await ask(bare, alice, 'POST /volumes/create', {})).reason).toContain(`--label ${label}=alice or `);
  });
});

test('names bound what is used and made', async () => {
  const rule = {
    callers: 'user:*',
    allow: '*',
    within: {
      containers: 'ali*',
      names: '{user}-*',
      images: 'busybox',
      'image-names': 'r.example.org/{user}/*',
      volumes: [],
    },
  };
  const say = async (request: string, body?: object) => (await ask([rule], alice, request, body)).allow;
  expect(await say('POST /containers/alices/stop')).toBe(true);
  expect(await say('POST /containers/bobs/stop')).toBe(false);
  expect(await say('POST /containers/create?name=alice-1', { Image: 'busybox' })).toBe(true);
  expect(await say('POST /containers/create?name=bob-1', { Image: 'busybox' })).toBe(false);
  expect(await say('POST /containers/create?name=alice-1', { Image: 'postgres' })).toBe(false);
  expect(await say('POST /containers/create?name=alice-1', { Image: 'busybox', Volumes: { '/d': {} } })).toBe(false);
  expect(await say('POST /images/busybox/tag?repo=r.example.org/alice/x')).toBe(true);
  expect(await say('POST /images/busybox/tag?repo=r.example.org/bob/x')).toBe(false);
  const withVolumes = { callers: 'any', allow: '*', within: { volumes: 'none' } };
  expect(await ask([withVolumes], bob, 'POST /containers/create', { Image: 'postgres' })).toMatchObject({
    reason: 'image postgres makes volumes, which are not granted',
  });
});

test('an amount that is bounded must be set, and at most so much', async () => {
  const rule = { callers: 'any', allow: '*', within: { memory: '512m', cpus: 1.5, pids: 100 } };
  const reason = async (HostConfig: object) =>
    (await ask([rule], bob, 'POST /containers/create', { Image: 'busybox', HostConfig })).reason;
  const fine = { Memory: 512 << 20, NanoCpus: 1.5e9, PidsLimit: 100 };
  expect(await reason(fine)).toBe('container:create is allowed');
  expect(await reason({ ...fine, MemorySwap: 1 << 30 })).toBe('container:create is allowed');
  expect(await reason({ ...fine, Memory: 0 })).toBe('memory must be bounded: add --memory, at most 512m');
  expect(await reason({ ...fine, Memory: (512 << 20) + 1 })).toContain('is more than 512m');
  expect(await reason({ ...fine, MemorySwap: -1 })).toContain('swap must be bounded');
  expect(await reason({ ...fine, NanoCpus: 0 })).toContain('add --cpus, at most 1.5');
  expect(await reason({ ...fine, PidsLimit: -1 })).toContain('add --pids-limit, at most 100');
  const update = async (body: object) => (await ask([rule], bob, 'POST /containers/x/update', body)).allow;
  expect(await update({ RestartPolicy: { Name: 'no' } })).toBe(true);
  expect(await update({ Memory: 1 << 30 })).toBe(false);
  expect(await update({ PidsLimit: 0 })).toBe(false);
  expect(await update({ CpuPeriod: 1000 })).toBe(false);
});

test('a request that names very many objects is refused, and an engine that is away grants nothing', async () => {
  const rule = { callers: 'any', allow: '*', within: { owner: 'self' } };
  const Links = Array.from({ length: 70 }, (_, i) => `c${i}:x`);
  known.many = {};
  for (const link of Links) known[`container/${link.split(':')[0]}`] = { labels: { [label]: 'user:alice' } };
  const body = { Image: 'alices', Labels: { [label]: 'user:alice' }, HostConfig: { Links, NetworkMode: 'alices' } };
  expect(await ask([rule], alice, 'POST /containers/create', body)).toMatchObject({
    allow: false,
    reason: expect.stringContaining('more than 64 objects'),
  });
  const away = {
    objects: {
      find: async () => {
        throw new Error('the engine is away');
      },
    },
  };
  expect(await ask([rule], alice, 'POST /containers/alices/stop', undefined, away)).toMatchObject({
    allow: false,
    reason: 'the engine is away',
  });
  // A grant of another rule is not lost.
  expect(
    await ask(
      [rule, { callers: 'any', allow: '*', within: 'unlimited' }],
      alice,
      'POST /containers/alices/stop',
      undefined,
      away,
    ),
  ).toMatchObject({ allow: true });
  const guard = { deny: 'container:stop', callers: 'container-label:a=b' };
  expect(
    (
      await ask(
        [guard, { callers: 'any', allow: '*', within: 'unlimited' }],
        inContainer,
        'POST /containers/alices/stop',
        undefined,
        away,
      )
    ).allow,
  ).toBe(false);
});

test.each<[unknown, string]>([
  [undefined, 'the policy: it must be a map'],
  [{}, 'rules: it must be a list'],
  [{ rules: [], rule: 1 }, 'there is no "rule"; did you mean rules?'],
  [{ rules: [{ allow: '*' }] }, 'rules[0].callers: it must be a text'],
  [{ rules: [{ callers: 'any' }] }, 'either allow or deny'],
  [{ rules: [{ callers: 'any', allow: '*', deny: '*' }] }, 'either allow or deny'],
  [{ rules: [{ callers: 'any', allow: '*', unless: {} }] }, 'allow goes with within'],
  [{ rules: [{ callers: 'any', allow: 'container:creat' }] }, 'did you mean container:create?'],
  [{ rules: [{ callers: 'usr:alice', allow: '*' }] }, 'did you mean user?'],
  [{ rules: [{ callers: 'group:ops', allow: '*' }] }, 'there is no group "ops"'],
  [
    { rules: [{ callers: 'any', allow: '*', within: { priviledged: true } }] },
    'rules[0].within: there is no "priviledged"; did you mean privileged?',
  ],
  [
    { rules: [{ callers: 'any', allow: '*', within: { memory: 'lots' } }] },
    'rules[0].within.memory: it must be a number above 0',
  ],
  [
    {
      rules: [
        { name: 'a', deny: '*' },
        { name: 'a', deny: '*' },
      ],
    },
    'two rules are called "a"',
  ],
  [{ rules: [], mode: 'dryrun' }, 'mode: it must be enforce or dry-run'],
  [{ rules: [], tests: [{ request: 'info', expect: 'allow' }] }, 'tests[0].request'],
  [{ rules: [], tests: [{ request: 'GET /info', as: 'alice', expect: 'allow' }] }, 'tests[0].as'],
])('a policy that is wrong says where: %j', (value, why) => {
  expect(() => policyOf(value)).toThrow(why);
});

test('a policy file has its own tests', async () => {
  const policy = policyOf({
    groups: { ops: ['user:alice'], all: ['group:ops', 'user:bob'] },
    rules: [{ name: 'all', callers: 'group:all', allow: '@look', within: { owner: 'self' } }],
    tests: [
      { request: 'GET /info', as: 'user:bob', expect: 'allow', rule: 'all' },
      { request: 'GET /info', as: 'unix:bob', expect: 'deny' },
      { request: 'GET /info', as: 'container:web', expect: 'deny' },
      { request: 'GET /info', as: { Method: 'TLS', User: 'bob' }, expect: 'allow' },
      {
        request: 'GET /containers/x/json',
        as: 'user:bob',
        objects: { 'container/x': { labels: { [label]: 'user:bob' } } },
        expect: 'allow',
      },
      { name: 'wrong', request: 'GET /info', expect: 'allow' },
    ],
  });
  const results = await runTests(policy);
  expect(results.filter(({ failure }) => failure !== undefined)).toEqual([
    { name: 'wrong', failure: 'expected allow, got deny by no rule: no rule allows system:info to nobody known' },
  ]);
});
