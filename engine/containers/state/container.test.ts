import { systemError } from '@cleat/protocol/errors';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Collection } from '../../store/service.js';
import { Container } from './container.js';
import type { ContainerRecord } from './record.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('an event that happened is written when the disk has space again, a user’s request is refused meanwhile', () => {
  const disk = new Map<string, string>();
  let full = true;
  const check = () => {
    if (full) throw systemError('no space left on device');
  };
  const collection: Pick<Collection<ContainerRecord>, 'get' | 'put' | 'delete'> = {
    get: () => undefined,
    put(key, value) {
      check();
      disk.set(key, value.state.status);
    },
    delete(key) {
      check();
      disk.delete(key);
    },
  };
  const record = { id: 'x', state: { status: 'running' } } as ContainerRecord;
  const container = new Container(record, collection as Collection<ContainerRecord>);
  expect(() => container.save()).toThrow('no space left');
  Object.assign(record.state, { status: 'exited' });
  container.note();
  vi.advanceTimersByTime(10_000);
  expect(disk.size).toBe(0);
  full = false;
  vi.advanceTimersByTime(1_000);
  expect(disk.get('x')).toBe('exited');
  full = true;
  container.note();
  container.forget();
  full = false;
  vi.advanceTimersByTime(1_000);
  expect(disk.size).toBe(0);
});
