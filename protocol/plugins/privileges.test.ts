import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readManifest } from './manifest.js';
import { newPrivileges, type PluginPrivilege, privilegesOf, samePrivileges } from './privileges.js';

const values = fc.array(fc.string({ maxLength: 4 }), { maxLength: 4 });
const privilege = fc.record({
  Name: fc.constantFrom('mount', 'device', 'network', 'x'),
  Description: fc.string(),
  Value: values,
});
const list = fc.array(privilege, { maxLength: 6 });
const some = fc.array(privilege, { minLength: 1, maxLength: 6 });

const shuffled = <T>(items: readonly T[], seed: number): T[] =>
  items
    .map((item, at) => ({ item, key: Math.sin(seed * 31 + at * 17) }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);

/** Every list that differs from this one in one place: an entry or a value more, less, or another. */
function neighbours(list: readonly PluginPrivilege[]): PluginPrivilege[][] {
  const extra: PluginPrivilege = { Name: 'mount', Description: '', Value: ['/new-in-this-list'] };
  return [
    [extra, ...list],
    [...list, extra],
    ...list.flatMap((one, at) => {
      const value = one.Value ?? [];
      return [
        list.toSpliced(at, 1),
        list.toSpliced(at, 0, one),
        list.with(at, { ...one, Name: `${one.Name}!` }),
        list.with(at, { ...one, Value: [...value, 'more'] }),
        ...value.flatMap((text, place) => [
          list.with(at, { ...one, Value: value.toSpliced(place, 1) }),
          list.with(at, { ...one, Value: value.toSpliced(place, 0, text) }),
          list.with(at, { ...one, Value: value.with(place, `${text}!`) }),
        ]),
      ];
    }),
  ];
}

describe('two lists of privileges', () => {
  test('are the same in any order, of entries and of values, whatever their descriptions say', () => {
    fc.assert(
      fc.property(list, fc.integer(), (a, seed) => {
        const b = shuffled(a, seed).map((one) => ({ ...one, Description: 'other', Value: shuffled(one.Value, seed) }));
        expect(samePrivileges(a, b)).toBe(true);
      }),
    );
  });

  test('differ after any single change to either, at any place', () => {
    fc.assert(
      fc.property(list, (a) => {
        for (const b of neighbours(a)) {
          expect(samePrivileges(a, b), JSON.stringify(b)).toBe(false);
          expect(samePrivileges(b, a), JSON.stringify(b)).toBe(false);
        }
      }),
    );
  });

  test('are compared to the last entry and the last value (CVE-2026-33997)', () => {
    const granted = [
      { Name: 'capabilities', Description: '', Value: ['CAP_CHOWN'] },
      { Name: 'network', Description: '', Value: ['host'] },
    ];
    const asked = [granted[0], { Name: 'network', Description: '', Value: ['none'] }] as PluginPrivilege[];
    expect(samePrivileges(granted, asked)).toBe(false);
    const split = [{ Name: 'mount', Description: '', Value: ['/a', '/b'] }];
    const joined = ['/a', '/b'].map((path) => ({ Name: 'mount', Description: '', Value: [path] }));
    expect(samePrivileges(split, joined)).toBe(false);
    expect(
      samePrivileges([{ Name: 'x', Description: '', Value: null }], [{ Name: 'x', Description: '', Value: [] }]),
    ).toBe(true);
  });
});

describe('new privileges', () => {
  test('is nothing beside the same, everything beside nothing, and together with the old enough', () => {
    fc.assert(
      fc.property(list, some, (before, after) => {
        expect(newPrivileges(before, before)).toEqual([]);
        const added = newPrivileges(before, after);
        expect(newPrivileges([...before, ...added], after)).toEqual([]);
        for (const one of added) {
          const had = before.filter(({ Name }) => Name === one.Name).flatMap(({ Value }) => Value);
          expect(one.Value?.filter((value) => had.includes(value))).toEqual([]);
        }
      }),
    );
  });

  test('is named by value', () => {
    const capabilities = (...Value: string[]) => [{ Name: 'capabilities', Description: 'd', Value }];
    expect(newPrivileges(capabilities('CAP_CHOWN'), capabilities('CAP_CHOWN', 'CAP_SYS_ADMIN'))).toEqual(
      capabilities('CAP_SYS_ADMIN'),
    );
  });
});

test('a runtime for containers runs as root on the host, which is a privilege of its own', () => {
  const types = (Types: string[]) => readManifest(JSON.stringify({ Interface: { Types, Socket: '' } }), 'lenient');
  const shown = { Name: 'runtime', Description: expect.stringContaining('as root on the host'), Value: ['true'] };
  expect(privilegesOf(types(['docker.runtime/1.0']))).toEqual([shown]);
  expect(privilegesOf(types(['docker.volumedriver/1.0']))).toEqual([]);
});
