import { silentLogger } from '@cleat/protocol/log';
import { expect, test } from 'vitest';
import type { ContainerId } from '../ids.js';
import { openOutbox } from '../outbox/index.js';
import { memoryStore } from '../store/memory.fixture.js';
import type { Store } from '../store/service.js';
import { NetworksContext } from './context.js';

test('an engine reads the sandboxes that the first version wrote: their containers run meanwhile', async () => {
  const store = memoryStore() as Store;
  const extensions = { onChange: () => () => {} } as never;
  const open = () =>
    new NetworksContext({
      store,
      extensions,
      outbox: openOutbox({ store, extensions, log: silentLogger }),
      log: silentLogger,
      config: { execRoot: '/nowhere' } as never,
      events: {} as never,
      containers: {} as never,
    });
  const id = 'c' as ContainerId;
  const port = { Proto: 6, IP: '', Port: 80, HostIP: '', HostPort: 8080, HostPortEnd: 8080 };
  const common = { containerId: id, kind: 'path', path: '/run/netns/x' };
  const former = { ...common, v: 1, endpoints: [{ id: 'e', wished: { Aliases: ['db'] } }], wishedPorts: [port] };
  const current = { ...common, v: 2, endpoints: [{ id: 'e', requested: { Aliases: ['db'] } }], requestedPorts: [port] };
  store.collection('sandboxes').put(id, former);
  const context = open();
  const sandbox = context.sandbox(id);
  expect(sandbox).toEqual(current);
  if (sandbox) context.save(sandbox);
  expect(open().sandbox(id)).toEqual(current);
});
