import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bind, unmount } from '@cleat/linux/mount/mount';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { clearEngines, type Engine, startEngine } from './support/engine.js';

/** Fields that API versions from 1.44 on added: each does what it says. */
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
  const below = join(engine.directory, 'below');
  mkdirSync(below);
  bind(below, below);
});
afterAll(async () => {
  unmount(join(engine.directory, 'below'));
  await engine?.[Symbol.asyncDispose]();
});
afterEach(clearEngines);

const { ok, refused } = clientOf(() => engine);
const call = async (method: string, path: string, body?: unknown) => {
  const answer = await engine.api(method, path, body);
  const json = answer.body.startsWith('{') || answer.body.startsWith('[') ? JSON.parse(answer.body) : undefined;
  return { ...answer, json };
};
const create = (name: string, more: object, version = '1.56') =>
  call('POST', `/v${version}/containers/create?name=${name}`, { Image: 'busybox', Cmd: ['sleep', '1000'], ...more });
const inspect = async (name: string, version: string) =>
  (await call('GET', `/v${version}/containers/${name}/json`)).json;

describe('a container of 1.56', () => {
  test('has the umask that is asked for in each of its processes; it is found by its annotations', async () => {
    const HostConfig = { NetworkMode: 'none', Umask: 0o27, Annotations: { 'a.b': 'c', d: '' } };
    const Healthcheck = { Test: ['CMD-SHELL', 'umask'], Interval: 1e9 };
    expect((await create('cc', { HostConfig, Healthcheck })).status).toBe(201);
    await ok('start', 'cc');
    expect(await ok('exec', 'cc', 'sh', '-c', 'grep Umask /proc/1/status; umask')).toBe('Umask:\t0027\n0027');
    expect((await inspect('cc', '1.56')).HostConfig.Umask).toBe(0o27);
    const health = async () =>
      (await inspect('cc', '1.56')).State.Health.Log.map(({ Output }: { Output: string }) => Output);
    await expect.poll(health).toContain('0027\n');
    expect((await create('old', { HostConfig }, '1.55')).status).toBe(201);
    expect((await inspect('old', '1.56')).HostConfig).not.toHaveProperty('Umask');
    expect((await create('wrong', { HostConfig: { Umask: 0o1000 } })).json.message).toContain('invalid umask 512');
    const found = async (filter: string) =>
      (await ok('ps', '-a', '--filter', filter, '--format', '{{.Names}}')).split('\n');
    expect(await found('annotation=a.b=c')).toEqual(['old', 'cc']);
    expect(await found('annotation=d')).toEqual(['old', 'cc']);
    expect(await found('annotation=a.b=x')).toEqual(['']);
  });
});

describe('mounts of type image', () => {
  test('an image is mounted for reading only, whole or one directory or file of it', async () => {
    const image = (target: string, more = '') => ['--mount', `type=image,source=busybox,target=${target}${more}`];
    const script =
      'ls /all/bin/busybox && ls /bin2/busybox && test -x /file && ! touch /all/x 2>/dev/null && echo done';
    const mounts = [
      ...image('/all'),
      ...image('/bin2', ',image-subpath=bin'),
      ...image('/file', ',image-subpath=bin/busybox'),
    ];
    await ok('run', '-d', '--name', 'cc', ...mounts, 'busybox', 'sleep', '1000');
    expect(await ok('exec', 'cc', 'sh', '-c', script)).toMatch(/done$/);
    const [mount] = JSON.parse(await ok('inspect', '-f', '{{json .Mounts}}', 'cc')).filter(
      ({ Destination }: { Destination: string }) => Destination === '/all',
    );
    expect(mount).toMatchObject({ Type: 'image', Name: 'busybox', RW: false });
    // Stopped, too, it is seen there.
    await ok('stop', '-t', '0', 'cc');
    expect(await ok('cp', 'cc:/bin2/busybox', `${engine.directory}/copied`)).toBe('');
    await ok('rm', '-f', 'cc');
  });

  test('it is in use then, and a link in it leads nowhere else', async () => {
    const tree = join(engine.directory, 'tree');
    mkdirSync(tree);
    await ok('run', '--name', 'maker', 'busybox', 'sh', '-c', 'mkdir /data; echo x > /data/f; ln -s /proc /data/out');
    await ok('commit', 'maker', 'mounted:1');
    const mount = (more = '') => ['--mount', `type=image,source=mounted:1,target=/m${more}`];
    await ok('create', '--name', 'user', ...mount(), 'busybox', 'true');
    expect(await refused('rmi', 'mounted:1')).toContain('is using its referenced image');
    await ok('rm', 'user');
    for (const [path, why] of [
      ['data/out', 'path concatenation escapes the base directory'],
      ['none', 'no such file or directory'],
    ] as const) {
      expect(await refused('run', '--rm', ...mount(`,image-subpath=${path}`), 'busybox', 'true')).toContain(why);
    }
    expect(await refused('run', ...mount(',image-subpath=../x'), 'busybox')).toContain('must be a relative path');
    await ok('rm', 'maker');
    await ok('rmi', 'mounted:1');
    const missing = await create('cc', { HostConfig: { Mounts: [{ Type: 'image', Source: 'none:1', Target: '/m' }] } });
    expect(missing).toMatchObject({ status: 404, json: { message: 'No such image: none:1' } });
    const old = { HostConfig: { Mounts: [{ Type: 'image', Source: 'busybox', Target: '/m' }] } };
    expect(await create('cc', old, '1.47')).toMatchObject({ status: 400 });
  });
});

test('a file is mounted read-only, too', async () => {
  const file = join(engine.directory, 'file');
  writeFileSync(file, 'here');
  expect(await ok('run', '--rm', '-v', `${file}:/f:ro`, 'busybox', 'cat', '/f')).toBe('here');
});

describe('endpoints', () => {
  test('networks that are named at create take the place of the default one', async () => {
    await ok('network', 'create', 'one');
    await ok('network', 'create', 'two');
    const EndpointsConfig = { one: {}, two: { GwPriority: 5 } };
    await create('cc', { NetworkingConfig: { EndpointsConfig } });
    await ok('start', 'cc');
    const { Networks } = (await inspect('cc', '1.56')).NetworkSettings;
    expect(Object.keys(Networks).sort()).toEqual(['one', 'two']);
    expect(await ok('exec', 'cc', 'ip', 'route', 'show', 'default')).toContain(`via ${Networks.two.Gateway}`);
  });

  test('sysctls and names of interfaces', async () => {
    const sysctls = 'com.docker.network.endpoint.sysctls';
    const ifname = 'com.docker.network.endpoint.ifname';
    const DriverOpts = {
      [sysctls]: 'net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.ifname.forwarding=0',
      [ifname]: 'lan0',
    };
    const read = (name: string, file: string) => ok('exec', name, 'cat', `/proc/sys/net/ipv4/conf/${file}`);
    await ok('network', 'create', 'one');
    await create('cc', { NetworkingConfig: { EndpointsConfig: { one: { DriverOpts } } } });
    await ok('start', 'cc');
    expect(await read('cc', 'lan0/log_martians')).toBe('1');
    expect(await read('cc', 'lan0/forwarding')).toBe('0');
    // Also on a network that a running container joins.
    await ok('network', 'create', 'two');
    const EndpointConfig = {
      DriverOpts: { [ifname]: 'dmz0', [sysctls]: 'net.ipv4.conf.IFNAME.log_martians=1' },
      MacAddress: '02:42:00:00:00:07',
    };
    expect((await call('POST', '/v1.54/networks/two/connect', { Container: 'cc', EndpointConfig })).status).toBe(200);
    expect(await read('cc', 'dmz0/log_martians')).toBe('1');
    expect(await ok('exec', 'cc', 'cat', '/sys/class/net/dmz0/address')).toBe('02:42:00:00:00:07');
    for (const [options, why] of [
      [{ [sysctls]: 'net.ipv4.conf.eth0.log_martians=1' }, 'unrecognised network interface sysctl'],
      [{ [sysctls]: 'kernel.domainname=x' }, 'unrecognised network interface sysctl'],
      [{ [ifname]: 'a/b' }, 'invalid interface name: a/b'],
      [{ [ifname]: '~lan' }, 'invalid interface name: ~lan'],
    ] as const) {
      const answer = await create('dd', { NetworkingConfig: { EndpointsConfig: { one: { DriverOpts: options } } } });
      expect(answer).toMatchObject({ status: 400, json: { message: expect.stringContaining(why) } });
    }
    const unknown = { one: { DriverOpts: { [sysctls]: 'net.ipv4.conf.IFNAME.nothing=1' } } };
    await create('dd', { NetworkingConfig: { EndpointsConfig: unknown } });
    expect(await refused('start', 'dd')).toContain('/proc/sys/net/ipv4/conf/eth0/nothing is not a sysctl file');
    await ok('rm', 'dd');
    // Until 1.47 clients could say eth0; they are told where it went.
    const HostConfig = { Sysctls: { 'net.ipv4.conf.eth0.log_martians': '1' } };
    const moved = await create('dd', { HostConfig }, '1.47');
    expect(moved.json.Warnings).toEqual([expect.stringContaining('Migrated sysctl "net.ipv4.conf.eth0.log_martians"')]);
    await ok('start', 'dd');
    expect(await read('dd', 'eth0/log_martians')).toBe('1');
    expect(await create('ee', { HostConfig }, '1.48')).toMatchObject({
      status: 400,
      json: { message: expect.stringContaining(`must be supplied using driver option '${sysctls}'`) },
    });
  });

  test('all that a newer Compose says of the networks of a service, over a restart, too', async () => {
    const ifname = 'com.docker.network.endpoint.ifname';
    const sysctls = 'com.docker.network.endpoint.sysctls';
    await ok('network', 'create', 'front');
    await ok('network', 'create', 'back');
    // `enable_ipv4: false`
    const IPAM = { Config: [{ Subnet: 'fd00:c1ea:f1e1::/64' }] };
    const six = { Name: 'six', EnableIPv4: false, EnableIPv6: true, IPAM };
    expect((await call('POST', '/v1.56/networks/create', six)).status).toBe(201);
    const EndpointsConfig = {
      // `interface_name`, `gw_priority` and `driver_opts`; one that the driver does not know is no error.
      back: { Aliases: ['web'], GwPriority: 100, DriverOpts: { [ifname]: 'dmz0', unknown: 'x' } },
      front: { Aliases: ['web'], GwPriority: -1, DriverOpts: { [ifname]: 'lan0' } },
      six: { Aliases: ['web'], DriverOpts: { [sysctls]: 'net.ipv6.conf.IFNAME.hop_limit=7' } },
    };
    // The network with the highest `priority` is the first.
    await create('cc', { HostConfig: { NetworkMode: 'front' }, NetworkingConfig: { EndpointsConfig } });
    await ok('start', 'cc');
    for (const restarted of [false, true]) {
      if (restarted) await ok('restart', '-t', '0', 'cc');
      const { Networks } = (await inspect('cc', '1.56')).NetworkSettings;
      for (const [name, asked] of Object.entries(EndpointsConfig)) expect(Networks[name]).toMatchObject(asked);
      const links = (await ok('exec', 'cc', 'ip', '-o', 'link')).match(/(?<=^\d+: )\w+/gm);
      expect(links?.[1]).toBe('lan0');
      expect(links?.toSorted()).toEqual(['dmz0', 'eth0', 'lan0', 'lo']);
      const addresses = await ok('exec', 'cc', 'ip', '-o', 'address', 'show', 'dev', 'eth0');
      expect(addresses).toContain(`inet6 ${Networks.six.GlobalIPv6Address}/64`);
      expect(addresses).not.toContain('inet ');
      expect(Networks.six.IPAddress).toBe('');
      expect(await ok('exec', 'cc', 'cat', '/proc/sys/net/ipv6/conf/eth0/hop_limit')).toBe('7');
      const ways = await ok('exec', 'cc', 'sh', '-c', 'ip route show default; ip -6 route show default');
      expect(ways).toContain(`default via ${Networks.back.Gateway} dev dmz0`);
      expect(ways).toContain(`default via ${Networks.six.IPv6Gateway} dev eth0`);
      expect(ways).not.toMatch(/^default .*lan0/m);
    }
    expect((await call('GET', '/v1.56/networks/six')).json).toMatchObject({ EnableIPv4: false, EnableIPv6: true });
  });
});

test('CDI devices are found and given; a device that no file describes is refused', async () => {
  const directory = join(engine.directory, 'cdi');
  mkdirSync(directory);
  const spec = {
    cdiVersion: '0.6.0',
    kind: 'cleat.test/dev',
    containerEdits: { env: ['EVERY=1'] },
    devices: [
      {
        name: 'one',
        containerEdits: {
          env: ['ONE=1'],
          deviceNodes: [{ path: '/dev/mine', hostPath: '/dev/fuse', permissions: 'r' }],
          mounts: [{ hostPath: directory, containerPath: '/opt/cdi', options: ['ro', 'bind'] }],
        },
      },
    ],
  };
  writeFileSync(join(directory, 'dev.json'), JSON.stringify(spec));
  writeFileSync(join(directory, 'bad.yaml'), 'a: [');
  await engine.kill('SIGTERM');
  await engine.restart([`--cdi-spec-dir=${directory}`]);
  const info = (await call('GET', '/info')).json;
  expect(info).toMatchObject({
    CDISpecDirs: [directory],
    DiscoveredDevices: [{ Source: 'cdi', ID: 'cleat.test/dev=one' }],
    Warnings: expect.arrayContaining([expect.stringContaining('bad.yaml')]),
  });
  expect((await call('GET', '/v1.49/info')).json).not.toHaveProperty('DiscoveredDevices');
  const script = 'echo $EVERY$ONE; (: < /dev/mine) && echo open; (: > /dev/mine) 2>/dev/null || echo kept; ls /opt/cdi';
  const said = await ok('run', '--rm', '--device', 'cleat.test/dev=one', 'busybox', 'sh', '-c', script);
  expect(said.split('\n')).toEqual(['11', 'open', 'kept', 'bad.yaml', 'dev.json']);
  expect(await refused('run', '--rm', '--device', 'cleat.test/dev=two', 'busybox', 'true')).toContain(
    'CDI device injection failed: unresolvable CDI devices cleat.test/dev=two',
  );
  const counted = { HostConfig: { DeviceRequests: [{ Driver: 'cdi', Count: 1 }] } };
  expect(await create('cc', counted)).toMatchObject({ status: 400 });
  expect(await refused('run', '--gpus', 'all', 'busybox')).toContain('could not select device driver');
});

test('before 1.44 a read-only bind leaves what is mounted below it writable', async () => {
  const HostConfig = { Binds: ['/tmp:/t:ro'] };
  await create('old', { HostConfig }, '1.43');
  await create('recent', { HostConfig }, '1.44');
  for (const name of ['old', 'recent']) await ok('start', name);
  const below = async (name: string) => {
    const mounts = (await ok('exec', name, 'cat', '/proc/mounts')).split('\n').map((line) => line.split(' '));
    return mounts.filter(([, path = '']) => path === `/t/${engine.directory.split('/').at(-1)}/below`);
  };
  expect((await below('old'))[0]?.[3]).toMatch(/^rw/);
  expect((await below('recent'))[0]?.[3]).toMatch(/^ro/);
});

test('limits of single devices are updated while it runs', async () => {
  await ok('run', '-d', '--name', 'cc', 'busybox', 'sleep', '1000');
  const update = (body: object, version = '1.55') => call('POST', `/v${version}/containers/cc/update`, body);
  const limits = async () => (await inspect('cc', '1.55')).HostConfig.BlkioDeviceReadBps;
  const BlkioDeviceReadBps = [{ Path: '/dev/loop0', Rate: 1_048_576 }];
  // Clients that are older send it, and mean nothing.
  expect((await update({ BlkioDeviceReadBps }, '1.54')).status).toBe(200);
  expect(await limits()).toEqual([]);
  expect(await update({ BlkioDeviceReadBps })).toMatchObject({ status: 200, json: { Warnings: null } });
  expect(await limits()).toEqual(BlkioDeviceReadBps);
  expect((await update({ BlkioDeviceReadBps: null, CpuShares: 512 })).status).toBe(200);
  expect(await limits()).toEqual(BlkioDeviceReadBps);
  // The kernel itself takes no limit on what is no block device.
  const files = '/sys/fs/cgroup/blkio/blkio.throttle.read_bps_device /sys/fs/cgroup/io.max';
  for (const Path of ['/dev/null', '/dev/none']) {
    expect((await update({ BlkioDeviceReadBps: [{ Path, Rate: 5 }] })).status).toBe(500);
    expect(await limits()).toEqual(BlkioDeviceReadBps);
    expect(await ok('exec', 'cc', 'sh', '-c', `cat ${files} 2>/dev/null || true`)).toContain('1048576');
  }
  expect(engine.log()).not.toContain('limits could not be set back');
  expect((await update({ BlkioDeviceReadBps: [] })).status).toBe(200);
  expect(await limits()).toEqual([]);
});

describe('answers change their shape with the version', () => {
  test('containers', async () => {
    const EndpointsConfig = { bridge: { MacAddress: '02:42:00:00:00:09' } };
    await create('cc', { NetworkingConfig: { EndpointsConfig }, HostConfig: { Annotations: { a: 'b' } } });
    await ok('start', 'cc');
    const [old, recent] = [await inspect('cc', '1.51'), await inspect('cc', '1.52')];
    expect(old.NetworkSettings).toMatchObject({ MacAddress: '02:42:00:00:00:09', Bridge: '' });
    expect(old.Config).toMatchObject({ MacAddress: '02:42:00:00:00:09', OnBuild: null });
    expect(Object.keys(recent.NetworkSettings).sort()).toEqual(['Networks', 'Ports', 'SandboxID', 'SandboxKey']);
    expect(recent.Config).not.toHaveProperty('MacAddress');
    expect(recent.Config).not.toHaveProperty('OnBuild');
    const row = async (version: string) => (await call('GET', `/v${version}/containers/json`)).json[0];
    expect(await row('1.52')).toMatchObject({
      Health: { Status: 'none', FailingStreak: 0 },
      HostConfig: { Annotations: { a: 'b' } },
    });
    expect(await row('1.51')).not.toHaveProperty('Health');
    expect((await row('1.45')).HostConfig).not.toHaveProperty('Annotations');
    const { json } = await call('GET', '/containers/cc/stats?stream=0&one-shot=1');
    expect(json).toMatchObject({ os_type: 'linux' });
    // A field that 1.52 took out is refused, and not passed over.
    const wide = { MacAddress: '02:42:00:00:00:08' };
    expect(await create('dd', wide)).toMatchObject({
      status: 400,
      json: { message: expect.stringContaining('container-wide MAC address no longer supported') },
    });
    const empty = { ExposedPorts: { '80/tcp': {} }, HostConfig: { PortBindings: { '80/tcp': [] } } };
    expect((await create('ee', empty, '1.52')).json.Warnings).toEqual([
      'Following container port(s) have an empty list of port-bindings: 80/tcp. Such bindings will be discarded in a future version.',
    ]);
    expect((await create('ff', empty, '1.51')).json.Warnings).toEqual([]);
  });

  test('images', async () => {
    const shown = async (version: string) => (await call('GET', `/v${version}/images/busybox/json`)).json;
    const [v49, v51, v52] = [await shown('1.49'), await shown('1.51'), await shown('1.52')];
    expect(v49.Config).toMatchObject({ Hostname: '', Tty: false, OnBuild: null });
    expect(v51.Config).not.toHaveProperty('Hostname');
    expect(v51.Config).toMatchObject({ OnBuild: null, User: '' });
    expect(v51).toMatchObject({ Parent: '', Author: '', DockerVersion: '' });
    for (const name of ['OnBuild', 'User', 'Entrypoint']) expect(v52.Config).not.toHaveProperty(name);
    for (const name of ['Parent', 'Author', 'DockerVersion']) expect(v52).not.toHaveProperty(name);
    expect((await call('GET', '/images/busybox/attestations')).json).toEqual([]);
    expect((await call('GET', '/images/nothing/attestations')).status).toBe(404);
    const twice = encodeURIComponent('{"os":"linux","architecture":"amd64"}');
    expect(await call('GET', `/images/busybox/attestations?platform=${twice}&platform=${twice}`)).toMatchObject({
      status: 400,
      json: { message: 'only one platform value is currently supported' },
    });
    expect((await call('GET', '/images/json?identity=1')).status).toBe(400);
    expect((await call('GET', '/images/json?identity=1&manifests=1')).status).toBe(200);
    expect((await call('GET', '/v1.53/images/json?identity=1')).status).toBe(200);
  });

  test('networks say how many addresses are taken', async () => {
    const subnet = `${engine.prefix}.200.0/24`;
    await ok('network', 'create', '--subnet', subnet, '--ip-range', `${engine.prefix}.200.128/25`, '--ipv6', 'one');
    await ok('run', '-d', '--network', 'one', 'busybox', 'sleep', '1000');
    const status = async (version: string) => (await call('GET', `/v${version}/networks/one`)).json.Status;
    const { Subnets } = (await status('1.52')).IPAM;
    // Network, broadcast, gateway and container; the gateway is taken from the range.
    expect(Subnets[subnet]).toEqual({ IPsInUse: 4, DynamicIPsAvailable: 128 - 3 });
    const [six] = Object.entries<object>(Subnets).filter(([name]) => name.includes(':'));
    expect(six?.[1]).toMatchObject({ IPsInUse: 3 });
    expect(await status('1.51')).toBeUndefined();
    expect((await call('GET', '/networks/host')).json.Status).toEqual({ IPAM: {} });
  });

  test('info and disk usage', async () => {
    const info = async (version: string) => (await call('GET', `/v${version}/info`)).json;
    const [v48, v56] = [await info('1.48'), await info('1.56')];
    expect(v48).toMatchObject({ RuncCommit: { Expected: expect.any(String) }, BridgeNfIptables: expect.any(Boolean) });
    expect(v48.RegistryConfig).toHaveProperty('AllowNondistributableArtifactsCIDRs', null);
    expect(v48).not.toHaveProperty('FirewallBackend');
    expect(v56).toMatchObject({ FirewallBackend: { Driver: 'nftables' }, DiscoveredDevices: expect.any(Array) });
    for (const name of ['BridgeNfIptables', 'NRI', 'Containerd', 'KernelMemoryTCP'])
      expect(v56).not.toHaveProperty(name);
    expect(v56.RuncCommit).not.toHaveProperty('Expected');
    expect(v56.RegistryConfig).not.toHaveProperty('AllowNondistributableArtifactsCIDRs');

    await ok('run', '-d', 'busybox', 'sh', '-c', 'echo 12345 > /f; sleep 1000');
    await ok('create', 'busybox');
    await ok('volume', 'create', 'unused');
    const df = async (version: string, query = '') => (await call('GET', `/v${version}/system/df${query}`)).json;
    const old = ['BuildCache', 'Containers', 'Images', 'LayersSize', 'Volumes'];
    const recent = ['BuildCacheUsage', 'ContainerUsage', 'ImageUsage', 'VolumeUsage'];
    expect(Object.keys(await df('1.51')).sort()).toEqual(old);
    expect(Object.keys(await df('1.52')).sort()).toEqual([...old, ...recent].sort());
    const usage = await df('1.52', '?verbose=1');
    expect(Object.keys(usage).sort()).toEqual(recent);
    expect(usage.ImageUsage).toMatchObject({
      ActiveCount: 1,
      TotalCount: 1,
      Items: [{ RepoTags: ['busybox:latest'] }],
    });
    expect(usage.ContainerUsage).toMatchObject({ ActiveCount: 1, TotalCount: 2 });
    expect(usage.VolumeUsage).toMatchObject({ TotalCount: 1, Items: [{ Name: 'unused' }] });
    expect(Object.keys(await df('1.52', '?verbose=1&type=volume'))).toEqual(['VolumeUsage']);
    expect((await call('GET', '/system/df?type=nothing')).status).toBe(400);
  });

  test('events come in the form that is asked for', async () => {
    await ok('create', '--name', 'cc', 'busybox');
    await ok('rm', 'cc');
    const now = Math.ceil(Date.now() / 1000);
    const events = async (version: string, accept?: string) => {
      const path = `/v${version}/events?since=0&until=${now}&filters={"container":["cc"]}`;
      const answer = await fetchEvents(path, accept);
      return { type: answer.headers.get('content-type'), text: await answer.text() };
    };
    const fetchEvents = (path: string, accept?: string) => raw(encodeURI(path), accept);
    const first = ({ text }: { text: string }) => JSON.parse(text.split('\n')[0]?.replace('\x1e', '') ?? '');
    const plain = await events('1.51');
    expect(plain.type).toBe('application/json');
    expect(first(plain)).toMatchObject({ status: 'create', from: 'busybox' });
    const lines = await events('1.52');
    expect(lines.type).toBe('application/jsonl');
    expect(first(lines)).not.toHaveProperty('status');
    expect((await events('1.52', 'application/x-ndjson')).type).toBe('application/x-ndjson');
    const sequence = await events('1.40', 'application/json-seq');
    expect(sequence.type).toBe('application/json-seq');
    expect(sequence.text).toMatch(/^\x1e\{.*\n\x1e\{/);
  });
});

/** With headers of its own. */
async function raw(path: string, accept: string | undefined) {
  const { request } = await import('node:http');
  return new Promise<{ headers: { get(name: string): unknown }; text(): Promise<string> }>((resolve, reject) => {
    const headers = accept === undefined ? {} : { accept };
    const outgoing = request({ socketPath: engine.socket, path, headers }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => resolve({ headers: { get: (name) => response.headers[name] }, text: async () => body }));
    });
    outgoing.on('error', reject).end();
  });
}
