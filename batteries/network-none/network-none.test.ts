import { networkKind } from '@cleat/protocol/kinds/network';
import { startForTest } from '@cleat/sdk/testing';
import { expect, test } from 'vitest';
import module from './main.js';

const network = { NetworkID: 'n', Options: {}, IPv4Data: [], IPv6Data: [] };
const endpoint = { NetworkID: 'n', EndpointID: 'e' };

test.each(['in-process', 'socket'] as const)(
  'network-none, %s: a container needs a sandbox with a loopback',
  async (carrier) => {
    await using extension = await startForTest(module, { name: 'null', carrier });
    const driver = extension.client(networkKind);
    expect(await driver.GetCapabilities({})).toEqual({ Scope: 'local', ConnectivityScope: 'local', Sandbox: 'none' });
    await driver.CreateNetwork(network);
    await driver.CreateEndpoint({
      ...endpoint,
      Options: {},
      Interface: { Address: '', AddressIPv6: '', MacAddress: '' },
    });
    // Nothing to move into a sandbox, and nothing to resolve or to reach.
    expect(await driver.Join({ ...endpoint, SandboxKey: '/s', Options: {} })).toEqual({});
    expect(await driver.EndpointOperInfo(endpoint)).toEqual({ Value: {} });
    await driver.Leave(endpoint);
    await driver.DeleteEndpoint(endpoint);
    await driver.DeleteNetwork({ NetworkID: 'n' });
  },
);

test('an option is refused', async () => {
  const settings = { name: 'null', carrier: 'in-process', options: { mtu: 1400 } } as const;
  await expect(startForTest(module, settings)).rejects.toThrow('null has no option mtu; it has none');
});
