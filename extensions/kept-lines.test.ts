import { silentLogger } from '@cleat/protocol/log';
import { expect, test } from 'vitest';
import { KeptLines } from './kept-lines.js';

test('the latest lines of an extension are kept, with what a child adds, and can be followed', () => {
  const kept = new KeptLines();
  const log = kept.logger(silentLogger, 'p');
  kept.logger(silentLogger, 'q').info('not ours');
  log.info('one', { size: 3, why: 'a b' });
  log.child({ volume: 'v' }).warn('two', { error: new Error('it failed') });
  const lines = kept.of('p');
  expect(lines.map(({ level, text }) => `${level} ${text}`)).toEqual([
    'info one size=3 why="a b"',
    'warn two volume=v error="it failed"',
  ]);
  expect(kept.of('p', lines[0]?.number).map(({ text }) => text)).toHaveLength(1);
  expect(kept.of('nobody')).toEqual([]);
});

test('the lines of extensions have a bound: by line, by extension, and by the number of extensions', () => {
  const kept = new KeptLines();
  const log = kept.logger(silentLogger, 'loud');
  const self: Record<string, unknown> = {};
  self.self = self;
  for (let round = 0; round < 600; round++) log.debug(`${round} ${'x'.repeat(5_000)}`, { self });
  const lines = kept.of('loud');
  expect(lines).toHaveLength(500);
  expect(lines[0]?.text).toMatch(/^100 x/);
  expect(Math.max(...lines.map(({ text }) => text.length))).toBe(4_096);
  for (let name = 0; name < 256; name++) kept.logger(silentLogger, `p${name}`).info('hello');
  expect(kept.of('loud')).toEqual([]);
  expect(kept.of('p0')).toHaveLength(1);
});

test('lines of an engine before this one keep their time', () => {
  const kept = new KeptLines();
  const at = new Date(1000);
  kept.earlier('p', at).child({ a: 1 }).warn('then');
  expect(kept.of('p')).toEqual([{ number: 1, at, level: 'warn', text: 'then a=1' }]);
});
