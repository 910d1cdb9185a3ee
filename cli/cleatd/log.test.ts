import { expect, test, vi } from 'vitest';
import { openLog } from './log.js';

const written: string[] = [];
vi.mock('node:fs', async (original) => ({
  ...(await original<typeof import('node:fs')>()),
  writeSync: (_fd: number, line: string) => written.push(line),
}));

const said = (): string => written.splice(0).join('');

test('JSON has a line per message, with its level by name and its fields', () => {
  const { logger } = openLog({ level: 'info', format: 'json' });
  logger.child({ extension: 'local' }).warn('it died', { code: 9 });
  logger.debug('not shown');
  expect(JSON.parse(said())).toEqual({
    level: 'warn',
    time: expect.any(String),
    extension: 'local',
    code: 9,
    msg: 'it died',
  });
});

test('text quotes what could be mistaken for something else', () => {
  const { logger } = openLog({ level: 'info', format: 'text' });
  logger.info('ready', { path: '/a b', text: 'x=1\ny', count: 2 });
  expect(said()).toMatch(/^\S+Z INFO ready path="\/a b" text="x=1\\ny" count=2\n$/);
  logger.warn('it said: no\n2026-01-01T00:00:00Z INFO all is well');
  expect(said()).toMatch(/^\S+Z WARN it said: no\n {2}2026-01-01T00:00:00Z INFO all is well\n$/);
});

test('a new level reaches loggers that were handed out before', () => {
  const log = openLog({ level: 'info', format: 'text' });
  const room = log.logger.child({ room: 'spool' });
  log.setLevel('debug');
  room.debug('seen');
  log.setLevel('error');
  room.info('not seen');
  expect(said()).toMatch(/DEBUG seen room=spool\n$/);
});
