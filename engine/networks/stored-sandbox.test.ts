import { expect, test } from 'vitest';
import { currentSandbox, type StoredSandbox } from './stored-sandbox.js';

test('a sandbox that the first version wrote is read on; its containers run meanwhile', () => {
  const port = { Proto: 6, IP: '', Port: 80, HostIP: '', HostPort: 8080, HostPortEnd: 8080 };
  const common = { containerId: 'c', kind: 'path', path: '/run/netns/x' };
  const first = { ...common, v: 1, endpoints: [{ id: 'e', wished: { Aliases: ['db'] } }], wishedPorts: [port] };
  const current = {
    ...common,
    v: 2,
    endpoints: [{ id: 'e', requested: { Aliases: ['db'] } }],
    requestedPorts: [port],
  };
  expect(currentSandbox(first as unknown as StoredSandbox)).toEqual(current);
  expect(currentSandbox(current as unknown as StoredSandbox)).toEqual(current);
});
