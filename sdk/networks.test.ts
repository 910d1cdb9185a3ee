import { expect, test } from 'vitest';
import { DiscoveredNodes } from './networks.js';

const context = { signal: new AbortController().signal };
const news = (Address: string, more: object = {}) => ({
  DiscoveryType: 1,
  DiscoveryData: { Address, BindAddress: '', Self: false, ...more },
});

test('nodes come, are told again, and go', async () => {
  const nodes = new DiscoveredNodes();
  let changes = 0;
  const { DiscoverNew, DiscoverDelete } = nodes.handlers(() => void changes++);
  expect(nodes.self).toBeUndefined();
  await DiscoverNew(news('192.0.2.1', { BindAddress: '10.0.0.1', Self: true }), context);
  for (const address of ['192.0.2.2', '2001:DB8:0::2', '192.0.2.2']) await DiscoverNew(news(address), context);
  expect(nodes.self).toEqual({ Address: '192.0.2.1', BindAddress: '10.0.0.1', Self: true });
  expect([...nodes.others]).toEqual(['192.0.2.2', '2001:db8::2']);
  await DiscoverDelete(news('2001:db8::2'), context);
  // Docker does not say that it was this host.
  await DiscoverDelete(news('192.0.2.1'), context);
  expect(nodes.self).toBeUndefined();
  expect([...nodes.others]).toEqual(['192.0.2.2']);
  expect(changes).toBe(6);
});

test('keys of another overlay are no nodes, and what is no address is refused', async () => {
  const nodes = new DiscoveredNodes();
  const { DiscoverNew } = nodes.handlers();
  await DiscoverNew({ DiscoveryType: 2, DiscoveryData: { Keys: [] } }, context);
  await expect(DiscoverNew(news('here'), context)).rejects.toThrow('"here" is not an IP address');
  await expect(DiscoverNew({ DiscoveryType: 1, DiscoveryData: 'here' }, context)).rejects.toThrow('DiscoveryData');
  expect(nodes.others.size).toBe(0);
});

test('a driver that cannot use a node says so', async () => {
  const { DiscoverNew } = new DiscoveredNodes().handlers(() => {
    throw new Error('no tunnel');
  });
  await expect(DiscoverNew(news('192.0.2.2'), context)).rejects.toThrow('no tunnel');
});
