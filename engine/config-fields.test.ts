import { isDeepStrictEqual } from 'node:util';
import { ContainerConfig, type HostConfig } from '@cleat/protocol/api/container';
import { expect, test } from 'vitest';
import { checkFields, refuseNul, volumeDestination } from './config-fields.js';
import { mergeConfig } from './containers/create/merge.js';
import { collectMounts } from './containers/create/mount-spec.js';
import { checkConfig } from './containers/create/validate.js';
import { applyChanges } from './images/changes/index.js';
import { parseNewImageConfig } from './images/config.js';

/** Values that no image, body or instruction may have, by field. */
const hostile: readonly [field: string, config: ContainerConfig][] = [
  ...['/etc:/mnt', '/:/host:rw,rslave', 'data:/d', 'rel', '', '/', '/a/../..', '/a:ro', '/a\0b', '//', '.'].map(
    (key): [string, ContainerConfig] => ['Volumes', { Volumes: { [key]: {} } }],
  ),
  ...['', 'http', '0', '65536/tcp', '80/icmp', '127.0.0.1:80:80', '1-65535/tcp', '80/tcp/udp', '-1', '8e1'].map(
    (key): [string, ContainerConfig] => ['ExposedPorts', { ExposedPorts: { [key]: {} } }],
  ),
  ...['', '=x', 'A=\0'].map((entry): [string, ContainerConfig] => ['Env', { Env: [entry] }]),
  ['Cmd', { Cmd: ['sh', '-c', 'a\0b'] }],
  ['Entrypoint', { Entrypoint: 'a\0b' }],
  ['Shell', { Shell: ['/bin/sh\0'] }],
  ['Healthcheck', { Healthcheck: { Test: ['CMD', 'a\0b'] } }],
  ['User', { User: '0\0' }],
  ['WorkingDir', { WorkingDir: '/a\0' }],
  ['StopSignal', { StopSignal: 'SIGTERM\0' }],
];
const rootfs = { type: 'layers', diff_ids: [] };
const refused = expect.objectContaining({ class: 'InvalidParameter' });

/** The ways on which a configuration comes in. */
const sources: Record<string, (config: ContainerConfig) => unknown> = {
  'an image that is loaded or pulled': (config) => parseNewImageConfig(JSON.stringify({ rootfs, config })),
  'an image that was here before': (config) => checkConfig(mergeConfig({}, config)),
  'the body of create': (config) => checkConfig(mergeConfig(config, {})),
  'the configuration of commit': (config) => applyChanges(config, []),
};

test.each(Object.keys(sources))('%s: every field that can do harm is looked at', (source) => {
  const enter = sources[source];
  for (const [field, config] of hostile) {
    expect(() => enter?.(config), `${field}: ${JSON.stringify(config)}`).toThrow(refused);
  }
});

test('every field that a container gets from its image is in that table, or cannot do harm', () => {
  const harmless = ['ArgsEscaped', 'Labels', 'StopTimeout'];
  const image: ContainerConfig = {
    ArgsEscaped: true,
    Cmd: ['c'],
    Entrypoint: ['e'],
    Env: ['A=1'],
    ExposedPorts: { '80/tcp': {} },
    Healthcheck: { Test: ['NONE'] },
    Labels: { a: 'b' },
    Shell: ['s'],
    StopSignal: 'KILL',
    StopTimeout: 1,
    User: 'u',
    Volumes: { '/v': {} },
    WorkingDir: '/w',
  };
  // The schema knows more, and none of it is the image's to say.
  const everything = Object.fromEntries(
    Object.keys(ContainerConfig.properties).map((key) => [key, image[key as 'Cmd']]),
  );
  for (const key of Object.keys(everything)) everything[key] ??= ['theirs'];
  const merged = mergeConfig({}, everything);
  const brought = Object.entries(merged).filter(([key, value]) => isDeepStrictEqual(value, everything[key]));
  const looked = new Set([...hostile.map(([field]) => field), ...harmless]);
  expect(brought.map(([key]) => key).filter((key) => !looked.has(key))).toEqual([]);
  expect(brought.map(([key]) => key).sort()).toEqual(Object.keys(image).sort());
});

test.each([
  'VOLUME /etc:/mnt',
  'VOLUME ["/:/host:rw,rslave"]',
  'VOLUME data:/d',
  'VOLUME data',
  'VOLUME /',
  'EXPOSE 0',
  'CMD ["a\\u0000"]',
])('--change of commit and import: %s', (change) => {
  expect(() => applyChanges({}, [change])).toThrow(refused);
});

test('a key of Volumes is a destination, and never a source', () => {
  for (const [key, destination] of [
    ['/data', '/data'],
    ['/a//b/', '/a/b'],
    ['/a/../etc', '/etc'],
    ['/with blank', '/with blank'],
  ] as const) {
    expect(volumeDestination(key)).toBe(destination);
    expect(collectMounts({ VolumeDriver: 'other' }, [key], () => [])).toMatchObject([
      { type: 'volume', name: undefined, anonymous: true, destination, rw: true, volume: { driver: 'other' } },
    ]);
  }
  expect(() => collectMounts({}, ['/etc:/mnt'], () => [])).toThrow("invalid volume specification: '/etc:/mnt'");
});

test('the configuration of ordinary images is taken', () => {
  checkFields({
    Volumes: { '/var/lib/postgresql/data': {} },
    ExposedPorts: { '5432/tcp': {}, '80': {}, '53/UDP': {} },
    Env: ['PATH=/bin', 'EMPTY=', 'UNSET'],
    Cmd: ['sh', ''],
    Entrypoint: null,
    User: 'postgres:postgres',
  });
});

test.each<HostConfig>([
  { Binds: ['/a\0:/b'] },
  { Mounts: [{ Type: 'bind', Source: '/a\0', Target: '/b' }] },
  { Mounts: [{ Type: 'volume', Source: 'v', Target: '/b', VolumeOptions: { Subpath: 'a\0' } }] },
  { Tmpfs: { '/a\0': '' } },
  { Devices: [{ PathOnHost: '/dev/null\0' }] },
  { CgroupParent: 'a\0' },
  { MaskedPaths: ['/a\0'] },
  { Sysctls: { 'kernel.msgmax': '1\0' } },
])('a NUL byte is refused in %j', (host) => expect(() => refuseNul(host)).toThrow(refused));

test.each<ContainerConfig>([{ Hostname: 'a\0' }, { Domainname: 'a\0' }])('nor in %j', (config) =>
  expect(() => checkFields(config)).toThrow(refused),
);
