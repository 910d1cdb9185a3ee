import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openOutbox } from '../../outbox/index.js';
import { memoryStore } from '../../store/memory.fixture.js';
import { OpenSessions } from './open-sessions.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-sessions-');
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

test('a session that the former engine left is ended, and not before all rooms are open', async () => {
  const stopped: string[] = [];
  const client = { StopLogging: async ({ File }: { File: string }) => stopped.push(File) };
  const extensions = { onChange: () => () => {}, get: async () => client } as never;
  const outbox = openOutbox({ store: memoryStore(), extensions, log: silentLogger });
  const session = join(directory, 'c1');
  writeFileSync(session, 'driver');
  let roomsAreOpen = false;
  const told = (driver: string, id: string) => {
    if (!roomsAreOpen) throw new ReferenceError('a room is not open yet');
    return `/${driver}/${id}`;
  };
  const sessions = new OpenSessions({ extensions, outbox, directory, told });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(existsSync(session)).toBe(true);
  roomsAreOpen = true;
  outbox.start();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(stopped).toEqual(['/driver/c1']);
  expect(existsSync(session)).toBe(false);
  sessions.close();
  outbox.close();
});
