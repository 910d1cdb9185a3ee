import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { interfaceNames } from '@cleat/linux/net/facts';
import { messageOf } from '@cleat/protocol/errors';
import { networkKind } from '@cleat/protocol/kinds/network';
import type { SubLinkNetwork } from '@cleat/sdk/networks';
import { startForTest } from '@cleat/sdk/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ipvlan } from './driver.js';
import module from './main.js';
import { readOptions } from './network-options.js';

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'cleat-ipvlan-'));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

test.each(['in-process', 'socket'] as const)(
  'network-ipvlan, %s: links on a parent where the kernel has them, else a refusal that leaves nothing',
  async (carrier) => {
    const options = { engineId: 'unit', stateDir };
    await using extension = await startForTest(module, { name: 'ipvlan', carrier, options });
    const driver = extension.client(networkKind);
    const id = randomBytes(8).toString('hex');
    const request = { NetworkID: id, Options: {}, IPv4Data: [{ Pool: '10.1.0.0/24' }], IPv6Data: [] };
    const refusal = await driver.CreateNetwork(request).then(() => undefined, messageOf);
    if (refusal === undefined) {
      const ids = { NetworkID: id, EndpointID: 'e' };
      await driver.CreateEndpoint({ ...ids, Interface: { Address: '10.1.0.7/24' }, Options: {} });
      const joined = await driver.Join({ ...ids, SandboxKey: '/s', Options: {} });
      expect(interfaceNames()).toContain(joined.InterfaceName?.SrcName);
      await driver.DeleteEndpoint(ids);
      await driver.DeleteNetwork({ NetworkID: id });
    } else {
      expect(refusal).toContain('this kernel makes no ipvlan links (modprobe ipvlan)');
    }
    expect([...interfaceNames()].filter((name) => name.endsWith(id.slice(0, 12)))).toEqual([]);
  },
);

const network = (options: Record<string, string>): SubLinkNetwork => ({
  ...{ v: 1, id: '0123456789abcdef', parent: 'eth0', made: '', mtu: 0, internal: false, subnets: [] },
  ...readOptions(options),
});

test('modes and flags become arguments of ip, or are refused in Docker’s words', () => {
  expect(ipvlan.linkType(network({}))).toBe('ipvlan mode l2 bridge');
  expect(ipvlan.linkType(network({ ipvlan_mode: 'l3s', ipvlan_flag: 'private' }))).toBe('ipvlan mode l3s private');
  expect(ipvlan.isRouted(network({ ipvlan_mode: 'l3' }))).toBe(true);
  expect(ipvlan.isRouted(network({}))).toBe(false);
  expect(() => readOptions({ ipvlan_mode: 'l4' })).toThrow(
    "requested ipvlan mode 'l4' is not valid, 'l2' mode is the ipvlan driver default",
  );
  expect(() => readOptions({ ipvlan_flag: 'x' })).toThrow(
    "requested ipvlan flag 'x' is not valid, 'bridge' is the ipvlan driver default",
  );
});

test('a parent has one network', () => {
  expect(() => ipvlan.refuseSharing(network({}), network({}))).toThrow(
    'network di-0123456789ab is already using parent interface eth0',
  );
});
