import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkExposure } from './exposure.js';
import { parseHost } from './hosts.js';
import { parseFlags } from './options/parse.js';
import { loadSettings, settingsOf } from './settings.js';

const settings = (...argv: string[]) => settingsOf(parseFlags(argv));

test('defaults stand beside a dockerd, and the socket stands in for its', () => {
  const { engine, hosts, tls, warnings } = settings();
  expect(engine).toMatchObject({
    dataRoot: '/var/lib/cleat',
    execRoot: '/run/cleat',
    bridge: 'cleat0',
    defaultVolumeDriver: 'local',
    defaultRuntime: '',
    shutdownTimeout: 15,
    icc: true,
  });
  expect(hosts).toEqual([{ kind: 'unix', path: '/run/docker.sock', text: 'unix:///run/docker.sock' }]);
  expect(tls).toBe('off');
  expect(warnings).toEqual([]);
});

test('an option that does not apply here is taken with a warning that says why', () => {
  const { warnings } = settings('--storage-driver=vfs', '--userland-proxy=false', '--containerd', '/run/c.sock');
  expect(warnings).toHaveLength(3);
  expect(warnings[0]).toBe('--storage-driver has no effect: root file systems are always overlayfs');
});

test('the audit journal is bounded, and can be switched off', () => {
  const { audit } = settings('--audit-opt', 'max-size=1m', '--audit-opt=max-age=24h').engine;
  expect(audit).toEqual({ maxBytes: 1 << 20, maxFiles: 8, maxAgeMs: 24 * 3_600_000 });
  expect(settings('--audit=false').engine.audit).toBeUndefined();
});

test.each([
  [['--audit-opt=max-size=1k'], '--audit-opt: max-size is at least 64k'],
  [['--audit-opt=max-size=lots'], '--audit-opt: max-size: invalid size'],
  [['--audit-opt=max-file=0'], '--audit-opt: max-file is a number from 1'],
  [['--audit-opt=max-age=1s'], '--audit-opt: max-age is a duration of at least a minute'],
  [['--audit-opt=color=red'], '--audit-opt: there is no option "color"'],
  [['--log-level=loud'], "invalid log-level 'loud'"],
  [['--metrics-addr=localhost'], "invalid metrics-addr 'localhost'"],
  [['--label=nonsense'], 'bad attribute format: nonsense'],
  [['--label=a=1', '--label=a=2'], 'conflict labels for a=2 and a=1'],
  [['--dns=example.com'], 'example.com is not an ip address'],
  [['--default-runtime=fast'], "specified default runtime 'fast' does not exist"],
  [['--add-runtime=runc=/x'], "runtime name 'runc' is reserved"],
  [['--exec-opt=native.cgroupdriver=magic'], 'not a valid cgroup driver'],
  [['--selinux-enabled'], '--selinux-enabled: SELinux labels are not set'],
  [['-H', 'npipe://x'], 'Invalid bind address'],
  [['-H', `unix:///${'x'.repeat(107)}`], 'at most 107 bytes'],
  [['-H', 'tcp://127.0.0.1:99999'], 'Invalid bind address'],
])('%s is a start-up error', (argv, message) => {
  expect(() => settings(...argv)).toThrow(message);
});

test.each([
  ['tcp://', { kind: 'tcp', host: '127.0.0.1', port: 2375 }],
  ['tcp://[::1]:99', { kind: 'tcp', host: '::1', port: 99 }],
  ['0.0.0.0:2375', { kind: 'tcp', host: '0.0.0.0', port: 2375 }],
  ['unix://', { kind: 'unix', path: '/run/docker.sock' }],
  ['fd://', { kind: 'fd', name: '' }],
])('-H %s', (text, host) => {
  expect(parseHost(text, false)).toMatchObject(host);
});

test('plugin-trust is read with its keys, and a mistake in it is a start-up error', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'cleat-trust-'));
  try {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const [pub, key] = [join(directory, 'a.pub'), join(directory, 'a.key')];
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    await writeFile(pub, pem);
    await writeFile(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const file = join(directory, 'daemon.json');
    const load = async (rules: unknown) => {
      await writeFile(file, JSON.stringify({ 'plugin-trust': rules }));
      return (await loadSettings(parseFlags([`--config-file=${file}`]))).engine.pluginTrust;
    };
    expect(await load(undefined)).toEqual([]);
    expect(
      await load([
        { name: 'r/*', keys: [pub] },
        { name: '*', unsigned: true },
      ]),
    ).toEqual([
      { name: 'r/*', unsigned: false, keys: [{ path: pub, pem }] },
      { name: '*', unsigned: true, keys: [] },
    ]);
    for (const [rules, complaint] of [
      [{}, 'expected a list of rules'],
      [[{ keys: [pub] }], 'rule 1: name must be a pattern'],
      [[{ name: '*', keys: [key] }], 'holds a private key'],
      [[{ name: '*', keys: ['a.pub'] }], 'absolute path'],
      [[{ name: '*', keys: [join(directory, 'gone')] }], 'no such file'],
      [
        [
          { name: 'a', unsigned: true },
          { name: '*', key: pub },
        ],
        'rule 2: there is no setting "key"',
      ],
      [[{ name: '*', keys: [pub], unsigned: true }], 'not both'],
    ] as const) {
      await expect(load(rules)).rejects.toThrow(complaint);
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('TLS is verified unless told otherwise', () => {
  expect(settings('--tls').tls).toBe('verify');
  expect(settings('--tlsverify').tls).toBe('verify');
  expect(settings('--tls', '--tlsverify=false').tls).toBe('on');
  expect(settings('--tls=false').tls).toBe('off');
});

test('TCP without TLS beyond loopback is refused unless it is asked for', () => {
  expect(() => checkExposure(settings('-H', 'tcp://0.0.0.0:1'))).toThrow('anybody who reaches it would be root here');
  expect(checkExposure(settings('-H', 'tcp://0.0.0.0:1', '--tls=false'))).toHaveLength(1);
  expect(checkExposure(settings('-H', 'tcp://0.0.0.0:1', '--insecure-tcp'))).toHaveLength(1);
  expect(checkExposure(settings('-H', 'tcp://0.0.0.0:1', '--tlsverify'))).toEqual([]);
  expect(checkExposure(settings('-H', 'tcp://127.0.0.1:1', '-H', 'tcp://localhost:2', '-H', 'tcp://[::1]:3'))).toEqual(
    [],
  );
});

test('a file that was named must exist, and its errors name it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'cleat-settings-'));
  try {
    const path = join(directory, 'daemon.json');
    const flags = parseFlags([`--config-file=${path}`, '--debug']);
    await expect(loadSettings(flags)).rejects.toThrow(`unable to configure the Docker daemon with file ${path}: open`);
    await writeFile(path, '{"debug": true}');
    await expect(loadSettings(flags)).rejects.toThrow(
      `unable to configure the Docker daemon with file ${path}: the following directives are specified both as a flag and in the configuration file: debug: (from flag: true, from file: true)`,
    );
    await writeFile(path, '{"data-root": "/x"}');
    expect((await loadSettings(flags)).engine.dataRoot).toBe('/x');
  } finally {
    await rm(directory, { recursive: true });
  }
});

test.each([
  [['--default-address-pool', 'base=10.0.0.0/24,size=16'], 'cannot be divided into networks of size 16: use 24 to 32'],
  [['--default-address-pool', 'base=10.0.0.0/8,size=33'], 'use 8 to 32'],
  [['--default-address-pool', 'base=300.0.0.0/8,size=24'], 'invalid pool: invalid CIDR address: 300.0.0.0/8'],
  [['--bip=10.0.0.1/99'], 'invalid CIDR address: 10.0.0.1/99'],
  [['--default-gateway=here'], '--default-gateway: here is not an ip address'],
  [['--mtu=-1'], 'invalid default MTU: -1'],
  [['--registry-mirror=mirror.local'], 'no scheme specified for "mirror.local"'],
  [['--registry-mirror=ftp://m'], 'unsupported scheme "ftp"'],
  [['--registry-mirror=https://m/?a=b'], 'query or fragment at end of the URI'],
  [['--registry-mirror=https://u:secret@m'], 'username/password not allowed in URI "https://m"'],
  [['--cgroup-parent=../up'], 'invalid cgroup parent'],
  [['--bridge=0123456789abcdef'], "--bridge: '0123456789abcdef' cannot be a device"],
  [['--bridge=a/b'], "'a/b' cannot be a device"],
  [['--bridge=a%d'], "'a%d' cannot be a device"],
  [['--bip=172.30.0.0/16'], '--bip: 172.30.0.0/16 is not the address of a device in a subnet'],
  [['--bip=172.30.255.255/16'], 'is not the address of a device'],
  [['--bip=10.9.0.1/0'], 'is not the address of a device'],
  [['--bip=10.9.0.1/32'], 'is not the address of a device'],
  [['--bip=10.9.0.1/24', '--fixed-cidr=10.8.0.0/24'], '--fixed-cidr: 10.8.0.0/24 is not within the subnet of --bip'],
  [['--bip=10.9.0.1/24', '--fixed-cidr=10.9.0.0/16'], 'is not within the subnet of --bip'],
  [['--fixed-cidr=10.9.0.1/25'], 'is not the beginning of a block'],
  [['--bip=10.9.0.1/24', '--default-gateway=10.8.0.1'], '--default-gateway: 10.8.0.1 is not within the subnet'],
  [['--bip6=10.9.0.1/24'], 'invalid CIDR address: 10.9.0.1/24 (--bip6 is written as fd00:30::1/64)'],
  [['--bip6=fd00::/64'], '--bip6: fd00::/64 is not the address of a device in a subnet'],
  [['--bip6=fd00::1/64', '--fixed-cidr-v6=fd01::/80'], '--fixed-cidr-v6: fd01::/80 is not within the subnet'],
  [['--default-gateway-v6=10.0.0.1'], '--default-gateway-v6: 10.0.0.1 is not an ip address of version 6'],
  [['--bridge-accept-fwmark=x'], 'invalid --bridge-accept-fwmark: x'],
  [['--default-network-opt=bridge'], "'bridge' is not of the form key=value"],
  [['--default-gateway=::1'], '--default-gateway: ::1 is not an ip address of version 4'],
  [['--min-api-version=9.9'], 'maximum supported API version is'],
  [['--min-api-version=1.1'], 'minimum supported API version is'],
  [['--shutdown-timeout=2147484'], '--shutdown-timeout must not be more than'],
  [['--events-max-size=1k'], '--events-max-size must not be less than 64KiB'],
  [['--events-max-age=1 day'], "invalid duration: '1 day'; write it as 36h or 90m"],
  [['--dns-search=a b'], 'a b is not a valid domain'],
  [['--insecure-registry=x y'], '--insecure-registry: insecure registry x y is not valid'],
  [['--insecure-registry=10.0.0.0/99'], 'is not valid: write HOST, HOST:PORT or a CIDR'],
  [['--insecure-registry=host:66666'], 'is not valid'],
  [['--authorization-plugin='], "--authorization-plugin: '' is not the name of a plugin"],
  [['--metrics-collector=../x'], "--metrics-collector: '../x' is not the name of a plugin"],
  [['--metrics-collector=a/../x'], "--metrics-collector: 'a/../x' is not the name of a plugin"],
  [['--authorization-plugin=/run/x'], "--authorization-plugin: '/run/x' is not the name of a plugin"],
  [['--default-shm-size=99999999g'], "invalid size: '99999999g'"],
  [['--mtu=99999999999999999999'], 'value out of range'],
  [['--default-ulimit=nosuch=1'], 'invalid ulimit type: nosuch'],
])('%s would fail later, and is refused at the start', (argv, message) => {
  expect(() => settings(...argv)).toThrow(message);
});

test('a setting of daemon.json is named by its key; JSON that cannot be read, by its place', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'cleat-settings-'));
  const path = join(directory, 'daemon.json');
  const load = async (text: string) => {
    await writeFile(path, text);
    return loadSettings(parseFlags(['--config-file', path]));
  };
  try {
    const { warnings } = await load('{"storage-driver": "vfs"}');
    expect(warnings).toEqual([`"storage-driver" in ${path} has no effect: root file systems are always overlayfs`]);
    await expect(load('{"bip": "x"}')).rejects.toThrow(`"bip" in ${path} is written as`);
    await expect(load('{\n  "debug": true,\n}')).rejects.toThrow(
      "invalid JSON: invalid character '}' looking for beginning of object key string (line 3, column 1)",
    );
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('values at the edge are taken', () => {
  expect(settings('--bip=10.9.0.1/31', '--fixed-cidr=10.9.0.0/31').engine.bip).toBe('10.9.0.1/31');
  expect(settings('--bip=10.9.0.1/24', '--fixed-cidr=10.9.0.128/25', '--default-gateway=10.9.0.254').warnings).toEqual(
    [],
  );
  expect(settings('--bridge=none', '--bip=10.9.0.0/24').engine.bridge).toBe('none');
  expect(settings('--dns-search=.', '--dns-search=a_b.example.').engine.dnsSearch).toEqual(['.', 'a_b.example.']);
  for (const version of ['1.20', '1.56']) settings(`--min-api-version=${version}`);
  const { engine, warnings } = settings('--insecure-registry=http://x:5000', '--insecure-registry=[::1]:5000');
  expect(engine.insecureRegistries).toEqual(['x:5000', '[::1]:5000']);
  expect(warnings).toEqual(['--insecure-registry: http://x:5000 is taken as x:5000: it has no scheme']);
});
