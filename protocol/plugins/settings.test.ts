import { describe, expect, test } from 'vitest';
import { readManifest } from './manifest.js';
import { applySettings, carriedOver, defaultSettings, shownSettings } from './settings.js';

const manifest = (change: object = {}) =>
  readManifest(
    JSON.stringify({
      Env: [
        { Name: 'DEBUG', Settable: ['value'], Value: '0' },
        { Name: 'DB_PASSWORD', Settable: ['value'], Value: '' },
        { Name: 'ADDRESS', Settable: ['value'] },
      ],
      Mounts: [{ Name: 'data', Source: '/a', Destination: '/d', Settable: ['source'] }],
      Linux: { Devices: [{ Name: 'fuse', Path: '/dev/fuse', Settable: ['path'] }] },
      Args: { Name: 'args', Settable: ['value'], Value: ['-v'] },
      ...change,
    }),
    'lenient',
  );

const set = (...args: string[]) => applySettings(manifest(), defaultSettings(manifest()), args);

test('settings are new each time, and all or nothing', () => {
  const before = defaultSettings(manifest());
  const copy = structuredClone(before);
  applySettings(manifest(), before, ['DEBUG=1', 'data=/b', 'fuse=/dev/x', 'args=a b']);
  expect(() => applySettings(manifest(), before, ['DEBUG=1', 'nope=1'])).toThrow('not found');
  expect(before).toEqual(copy);
});

test.each([
  ['DEBUG=a\0b', /null byte/],
  [`DEBUG=${'x'.repeat(70_000)}`, /too long/],
  ['\u001b[31m=1', /setting "\\\\u001b\[31m" not found/],
])('a setting that is no setting is refused: %#', (arg, complaint) => {
  expect(() => set(arg)).toThrow(complaint);
});

test('a secret is never shown; without a list, a name tells', () => {
  const shown = (by: ReturnType<typeof manifest>) =>
    shownSettings(by, applySettings(by, defaultSettings(by), ['DB_PASSWORD=x=y', 'ADDRESS=h'])).Env;
  expect(shown(manifest())).toEqual(['DEBUG=0', 'DB_PASSWORD=***', 'ADDRESS=h']);
  expect(shown(manifest({ Cleat: { Secret: ['ADDRESS'] } }))).toEqual(['DEBUG=0', 'DB_PASSWORD=x=y', 'ADDRESS=***']);
  expect(shownSettings(manifest(), set()).Env).toContain('DB_PASSWORD=');
});

describe('after an upgrade', () => {
  const chosen = () => set('DEBUG=1', 'ADDRESS=h', 'data=/b', 'fuse=/dev/x', 'args=x y');

  test('settings of the user stay, and the rest is what the new manifest says', () => {
    const next = manifest({
      Env: [
        { Name: 'DEBUG', Settable: ['value'], Value: '0' },
        { Name: 'DB_PASSWORD', Settable: ['value'], Value: 'changed' },
        { Name: 'ADDRESS', Settable: ['value'] },
        { Name: 'NEW', Value: 'n' },
      ],
    });
    const after = carriedOver(manifest(), chosen(), next);
    expect(after.Env).toEqual(['DEBUG=1', 'DB_PASSWORD=changed', 'NEW=n', 'ADDRESS=h']);
    expect(after.Mounts[0]?.Source).toBe('/b');
    expect(after.Devices[0]?.Path).toBe('/dev/x');
    expect(after.Args).toEqual(['x', 'y']);
  });

  test('a setting that can no longer be set is what the publisher says', () => {
    const next = manifest({
      Env: [{ Name: 'DEBUG', Value: '0' }],
      Mounts: [{ Name: 'data', Source: '/a', Destination: '/d' }],
      Linux: {},
      Args: { Name: 'other', Value: [] },
    });
    expect(carriedOver(manifest(), chosen(), next)).toEqual(defaultSettings(next));
  });
});
