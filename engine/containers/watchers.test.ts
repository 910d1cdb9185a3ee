import { silentLogger } from '@cleat/protocol/log';
import { expect, test } from 'vitest';
import type { Container } from './state/container.js';
import { newLife } from './state/life.js';
import { RunWatchers } from './watchers.js';

test('a watcher that throws is logged, and keeps nobody from being told', () => {
  const told: string[] = [];
  const context = {
    emit() {},
    events: { together: <T>(work: () => T) => work() },
    log: { ...silentLogger, error: (text: string) => void told.push(text) },
  };
  const container = { id: 'x', record: { id: 'x', config: {}, state: { ...newLife } } } as unknown as Container;
  const fail = () => {
    throw new Error('no');
  };
  const watchers = new RunWatchers();
  watchers.add({ began: fail, ended: fail });
  watchers.add({ began: ({ id }) => void told.push(`${id} began`), ended: (id) => void told.push(`${id} ended`) });
  watchers.began(context, container);
  watchers.ended(context, container);
  const failed = 'a watcher of containers failed';
  expect(told).toEqual([failed, 'x began', failed, 'x ended']);
});
