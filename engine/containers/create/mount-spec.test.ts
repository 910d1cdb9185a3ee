import { expect, test } from 'vitest';
import type { MountRecord } from '../state/record.js';
import { collectMounts, parseBind, parseMount, parseVolumesFrom } from './mount-spec.js';

const refusal = (work: () => unknown): string => {
  try {
    work();
    return 'accepted';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

/** The mount that `-v` asks for, as another container has it. */
function made(spec: string): MountRecord {
  const requested = parseBind(spec, undefined);
  if (requested.type !== 'volume' || !('volume' in requested)) return requested;
  const { volume: _, ...mount } = requested;
  return { ...mount, name: requested.name ?? 'anonymous', driver: 'local', source: '' };
}

test('-v in all its forms', () => {
  expect(parseBind('/a/../src/:/dst/', undefined)).toMatchObject({
    type: 'bind',
    source: '/src',
    destination: '/dst',
    rw: true,
    propagation: 'rprivate',
    createSource: true,
  });
  expect(parseBind('/src:/dst:ro,rslave,Z', undefined)).toMatchObject({ rw: false, propagation: 'rslave' });
  expect(parseBind('data:/d:nocopy', 'rclone')).toMatchObject({
    type: 'volume',
    name: 'data',
    noCopy: true,
    volume: { driver: 'rclone' },
  });
  expect(parseBind('/only', undefined)).toMatchObject({ type: 'volume', anonymous: true, destination: '/only' });
  for (const [spec, text] of [
    [':/d', "invalid volume specification: ':/d'"],
    ['/a:rw', "invalid volume specification: '/a:rw'"],
    ['a:/b:ro:x', "invalid volume specification: 'a:/b:ro:x'"],
    ['a:/b:ro,rw', 'invalid mode: ro,rw'],
    ['a:/b:copy', 'invalid mode: copy'],
    [
      '/a:/b:nocopy',
      `invalid volume specification: '/a:/b:nocopy': invalid mount config for type "bind": field VolumeOptions must not be specified`,
    ],
    [
      'a:b',
      `invalid volume specification: 'a:b': invalid mount config for type "volume": invalid mount path: 'b' mount path must be absolute`,
    ],
    [
      '/:/',
      `invalid volume specification: '/:/': invalid mount config for type "bind": invalid specification: destination can't be '/'`,
    ],
  ] as const) {
    expect(refusal(() => parseBind(spec, undefined))).toBe(text);
  }
});

test('one destination, one mount; --volumes-from gives way to one’s own', () => {
  const theirs = ['theirs:/shared', '/host:/h'].map(made);
  const from = (readOnly: string) =>
    collectMounts({ VolumesFrom: [`c${readOnly}`], Binds: ['mine:/h'] }, ['/h', '/image'], () => theirs);
  expect(
    from(':ro').map(({ destination, rw, ...rest }) => [destination, 'name' in rest ? rest.name : undefined, rw]),
  ).toEqual([
    ['/shared', 'theirs', false],
    ['/h', 'mine', true],
    ['/image', undefined, true],
  ]);
  // The last user of a volume without a name takes it away with `rm -v`.
  const lent = collectMounts({ VolumesFrom: ['c'] }, [], () => [made('/data'), ...theirs]);
  expect(lent).toMatchObject([
    { destination: '/data', anonymous: true, noCopy: true },
    { destination: '/shared', noCopy: true },
    { destination: '/h', type: 'bind', createSource: undefined },
  ]);
  expect(refusal(() => collectMounts({ Binds: ['/a:/x', '/b:/x/'] }, [], () => []))).toBe('Duplicate mount point: /x');
  expect(refusal(() => parseVolumesFrom('c:rslave'))).toBe('invalid mode: rslave');
});

test('options of a mount that contradict each other, or belong to another type, are refused', () => {
  const bind = { Type: 'bind', Source: '/s', Target: '/t' };
  for (const [mount, text] of [
    [
      { ...bind, BindOptions: { ReadOnlyForceRecursive: true } },
      'mount options conflict: !ReadOnly && BindOptions.ReadOnlyForceRecursive',
    ],
    [
      { ...bind, BindOptions: { ReadOnlyNonRecursive: true } },
      'mount options conflict: !ReadOnly && BindOptions.ReadOnlyNonRecursive',
    ],
    [
      { ...bind, ReadOnly: true, BindOptions: { ReadOnlyNonRecursive: true, ReadOnlyForceRecursive: true } },
      'mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive',
    ],
    [{ ...bind, ImageOptions: {} }, 'invalid mount config for type "bind": field ImageOptions must not be specified'],
    [
      { ...bind, ClusterOptions: {} },
      'invalid mount config for type "bind": field ClusterOptions must not be specified',
    ],
    [{ ...bind, Type: 'npipe' }, 'invalid mount config for type "npipe": mount type unknown'],
    [{ Type: 'image', Target: '/i' }, 'invalid mount config for type "image": field Source must not be empty'],
    [
      { Type: 'image', Source: 'x', Target: '/i', ImageOptions: { Subpath: '../x' } },
      'invalid mount config for type "image": subpath must be a relative path within the volume',
    ],
  ] as const) {
    expect(refusal(() => parseMount(mount))).toBe(text);
  }
  const strict = { ...bind, ReadOnly: true, BindOptions: { ReadOnlyForceRecursive: true } };
  expect(parseMount(strict)).toMatchObject({ rw: false, readOnlyForceRecursive: true });
});
