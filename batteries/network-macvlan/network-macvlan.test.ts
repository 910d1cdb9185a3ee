import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { interfaceNames, linkFacts } from '@cleat/linux/net/facts';
import { networkKind } from '@cleat/protocol/kinds/network';
import { startForTest } from '@cleat/sdk/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import module from './main.js';
import { readOptions } from './network-options.js';

let stateDir: string;
const id = randomBytes(8).toString('hex');
const parent = `dm-${id.slice(0, 12)}`;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'cleat-macvlan-'));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

test.each(['in-process', 'socket'] as const)(
  'network-macvlan, %s: links on a parent, and nothing left',
  async (carrier) => {
    const options = { engineId: 'unit', stateDir };
    await using extension = await startForTest(module, { name: 'macvlan', carrier, options });
    const driver = extension.client(networkKind);
    expect(await driver.GetCapabilities({})).toMatchObject({ Scope: 'local', ConnectivityScope: 'global' });
    expect(await driver.GwAllocCheck({ Options: {} })).toEqual({ SkipIPv4: true, SkipIPv6: true });
    const generic = (more: Record<string, string>) => ({
      'com.docker.network.generic': { macvlan_mode: 'vepa', ...more },
    });
    const pool = { IPv4Data: [{ Pool: '10.1.0.0/24' }], IPv6Data: [] };
    await driver.CreateNetwork({ NetworkID: id, Options: generic({}), ...pool });
    try {
      expect(await linkFacts(parent)).toMatchObject({ up: true, alias: 'cleat:unit' });
      // Another network on the same parent, which one does not have for itself.
      await driver.CreateNetwork({ NetworkID: 'other', Options: generic({ parent }), ...pool });
      await expect(
        driver.CreateNetwork({ NetworkID: 'third', Options: generic({ parent, macvlan_mode: 'passthru' }), ...pool }),
      ).rejects.toThrow('cannot use mode passthru, macvlan network');
      const ids = { NetworkID: 'other', EndpointID: 'e' };
      const mac = '02:42:0a:01:00:07';
      await driver.CreateEndpoint({ ...ids, Interface: { Address: '10.1.0.7/24', MacAddress: mac }, Options: {} });
      const { InterfaceName } = await driver.Join({ ...ids, SandboxKey: '/s', Options: {} });
      const name = InterfaceName?.SrcName ?? '';
      expect(await linkFacts(name)).toMatchObject({ kind: 'macvlan', mac });
      await driver.DeleteEndpoint(ids);
      expect(interfaceNames()).not.toContain(name);
    } finally {
      await driver.DeleteNetwork({ NetworkID: 'other' });
      expect(interfaceNames()).toContain(parent);
      await driver.DeleteNetwork({ NetworkID: id });
    }
    expect(interfaceNames()).not.toContain(parent);
  },
);

test('modes, in Docker’s words', () => {
  expect(readOptions({})).toEqual({ mode: 'bridge', flag: '' });
  expect(readOptions({ macvlan_mode: 'passthru' }).mode).toBe('passthru');
  expect(() => readOptions({ macvlan_mode: 'x' })).toThrow(
    "requested macvlan mode 'x' is not valid, 'bridge' mode is the macvlan driver default",
  );
});
