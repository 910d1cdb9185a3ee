import { expect, test } from 'vitest';
import { checkRemap, freeStart, mapOf, rangesOf, remapVariables, withRemap } from './remap.js';
import { settingsOf } from './settings.js';

const text = '# comment\nalice:100000:65536\n1000:300000:10\nalice:500000:5\nbroken:x:1\n';

test('ranges are those of the name or the number, and follow each other inside', () => {
  const ranges = rangesOf(text, { name: 'alice', id: '1000' });
  expect(ranges).toEqual([
    { start: 100_000, count: 65_536 },
    { start: 300_000, count: 10 },
    { start: 500_000, count: 5 },
  ]);
  expect(mapOf(ranges)).toEqual([
    { inside: 0, outside: 100_000, count: 65_536 },
    { inside: 65_536, outside: 300_000, count: 10 },
    { inside: 65_546, outside: 500_000, count: 5 },
  ]);
  expect(rangesOf(text, { name: 'bob', id: '7' })).toEqual([]);
});

test('a new range overlaps with none', () => {
  expect(freeStart([])).toBe(100_000);
  expect(freeStart([{ start: 100_000, count: 65_536 }])).toBe(165_536);
  expect(
    freeStart([
      { start: 200_000, count: 5 },
      { start: 90_000, count: 20_000 },
      { start: 150_000, count: 5 },
      { start: 300_000, count: 1 },
    ]),
  ).toBe(200_005);
});

test.each([
  ['a:b:c', 'Invalid user/group specification in --userns-remap: "a:b:c"'],
  ['no-such-user', 'Error during uid lookup for "no-such-user": getent unable to find entry "no-such-user" in passwd'],
  ['4000000', 'Uid 4000000 has no entry in /etc/passwd'],
  ['daemon:no-such-group', 'Error during groupname lookup for "no-such-group"'],
  ['daemon:4000000', 'Gid 4000000 has no entry in /etc/group'],
  ['nobody', 'Error during gid lookup for "nobody"'],
  ['sys', 'error creating ID mappings: no subuid ranges found for user "sys"'],
])('%s is refused as by dockerd', async (asked, message) => {
  await expect(checkRemap(asked)).rejects.toThrow(message);
});

test('root is not remapped, which is said', async () => {
  const settings = settingsOf(new Map([['userns-remap', 'root']]));
  const remapped = await withRemap(settings);
  expect(remapped.engine).toEqual(settings.engine);
  expect(remapped.warnings).toContainEqual(expect.stringContaining('root cannot be remapped with itself'));
  expect(remapVariables(settings.engine)).toEqual({ containerRoot: '0:0', containerView: '' });
});

test('extensions are told of owners and view', () => {
  const maps = (outside: number) => [{ inside: 0, outside, count: 9 }];
  const remap = { users: maps(70), groups: maps(80) };
  const { containerRoot, containerView } = remapVariables({ dataRoot: '/d', execRoot: '/e', remap });
  expect(containerRoot).toBe('70:80');
  expect(JSON.parse(containerView ?? '')).toEqual({ ...remap, dataRoot: '/d', view: '/e/remapped' });
});
