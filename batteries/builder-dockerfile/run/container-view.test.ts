import { expect, test } from 'vitest';
import { readView } from './container-view.js';

const maps = [{ inside: 0, outside: 500, count: 10 }];

test('paths below the data root are seen elsewhere, users are others on the host', () => {
  const view = readView(JSON.stringify({ dataRoot: '/data', view: '/run/seen', users: maps, groups: maps }));
  expect(view.seen('/data/a/b')).toBe('/run/seen/a/b');
  expect(view.seen('/database')).toBe('/database');
  expect(view.owner({ uid: 3, gid: 4 })).toEqual({ uid: 503, gid: 504 });
  expect(() => view.owner({ uid: 10, gid: 0 })).toThrow('cannot be mapped');
});

test('without a remap nothing changes; nonsense is refused', () => {
  expect(readView('').seen('/data/a')).toBe('/data/a');
  expect(readView('').owner({ uid: 3, gid: 4 })).toEqual({ uid: 3, gid: 4 });
  for (const text of ['{', '{}', '7']) expect(() => readView(text)).toThrow('containerView');
});
