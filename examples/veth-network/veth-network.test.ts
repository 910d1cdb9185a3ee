import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { interfaceNames } from '@cleat/linux/net/facts';
import { run } from '@cleat/linux/process/run';
import { networkKind } from '@cleat/sdk';
import { startForTest } from '@cleat/sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import vethNetwork from './veth-network.js';

let root: string;
/** The name of interfaces of this run alone. */
const prefix = `v${randomBytes(1).toString('hex')}`;
const ours = () => [...interfaceNames()].filter((name) => name.startsWith(prefix)).sort();
beforeEach(() => {
  root = mkdtempSync('/tmp/cleat-veth-network-');
});
afterEach(async () => {
  for (const name of ours()) await run('ip', ['link', 'delete', name]);
  rmSync(root, { recursive: true });
});

describe.each(['in-process', 'socket'] as const)('veth-network, %s', (carrier) => {
  const start = () => startForTest(vethNetwork, { name: 'veth-network', carrier, options: { root, prefix } });
  const NetworkID = randomBytes(32).toString('hex');
  const EndpointID = randomBytes(32).toString('hex');
  const ids = { NetworkID, EndpointID };
  const bridge = `${prefix}-${NetworkID.slice(0, 9)}`;
  const outside = `${prefix}${EndpointID.slice(0, 9)}`;

  test('makes a bridge and a pair of interfaces, twice as well as once, and takes them away after a restart', async () => {
    {
      await using plugin = await start();
      const driver = plugin.client(networkKind);
      await driver.CreateNetwork({ NetworkID, Options: {}, IPv4Data: [], IPv6Data: [] });
      await driver.CreateEndpoint({ ...ids, Interface: { Address: '10.9.0.2/24' }, Options: {} });
      for (const _ of ['once', 'again']) {
        const { InterfaceName } = await driver.Join({ ...ids, SandboxKey: '/s', Options: {} });
        expect(InterfaceName).toMatchObject({ SrcName: `${outside}i`, DstPrefix: 'eth' });
      }
      expect(ours()).toEqual([bridge, outside, `${outside}i`].sort());
      expect((await run('ip', ['link', 'show', 'master', bridge])).stdout).toContain(`${outside}@`);
      await expect(driver.Join({ NetworkID: 'x', EndpointID, SandboxKey: '/s', Options: {} })).rejects.toThrow(
        'network x not found',
      );
    }
    await using plugin = await start();
    const driver = plugin.client(networkKind);
    await driver.Leave(ids);
    await driver.DeleteEndpoint(ids);
    expect(ours()).toEqual([bridge]);
    await driver.DeleteNetwork({ NetworkID });
    expect(ours()).toEqual([]);
  });
});
