import type { Extensions } from '@cleat/extensions/service';
import type { Logger } from '@cleat/protocol/log';
import type { Store } from '../store/service.js';
import { Entries } from './entries.js';
import { OutboxQueue } from './queue.js';
import type { Outbox, Pending } from './service.js';

export interface OutboxDeps {
  readonly store: Pick<Store, 'collection'>;
  readonly extensions: Pick<Extensions, 'onChange'>;
  readonly log: Logger;
}

export function openOutbox({ store, extensions, log }: OutboxDeps): Outbox {
  const queues: OutboxQueue<never>[] = [];
  let isStarted = false;
  let tellStarted = () => {};
  const started = new Promise<void>((resolve) => {
    tellStarted = resolve;
  });
  const stop = extensions.onChange(({ name, state }) => {
    if (isStarted && state === 'active') for (const queue of queues) queue.settleSoon(name);
  });
  return {
    started,
    queue: (name, rules) => {
      // The name is the type: one room owns a queue and knows what it put there.
      const queue = new OutboxQueue(new Entries(store.collection<Pending<never>>('outbox'), name), rules as never, log);
      queues.push(queue);
      if (isStarted) queue.start();
      return queue as never;
    },
    start: () => {
      isStarted = true;
      for (const queue of queues) queue.start();
      tellStarted();
    },
    close: () => {
      stop();
      for (const queue of queues) queue.close();
    },
  };
}
