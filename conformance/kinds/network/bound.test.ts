import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { implement } from '@cleat/protocol/extension';
import { ipamKind } from '@cleat/protocol/kinds/ipam';
import { networkKind } from '@cleat/protocol/kinds/network';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Flaw, TestPlugin } from '../../testing/test-plugin.fixture.js';
import { type VerifyOptions, verify } from '../../verify/verify.js';
import type { HealthyAddresses } from '../ipam/healthy.fixture.js';
import { BoundNetworks } from './bound.fixture.js';
import { networkFlaws } from './flaws.fixture.js';
import { HealthyNetworks } from './healthy.fixture.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-verify-');
});
afterEach(() => {
  const healthy = new HealthyNetworks(directory);
  for (const name of healthy.links) healthy.unlink(name);
  rmSync(directory, { recursive: true });
});

/** @param both false: its IPAM half is a plugin of its own */
function pluginOf(flaw?: Flaw<BoundNetworks>, both = true): TestPlugin<BoundNetworks> {
  return new TestPlugin(
    join(directory, 'p.sock'),
    () => new BoundNetworks(directory),
    (handlers) => [implement(networkKind, handlers), ...(both ? [implement(ipamKind, handlers.addresses)] : [])],
    flaw,
  );
}

const addressesAlone = (): TestPlugin<HealthyAddresses> =>
  new TestPlugin(
    join(directory, 'i.sock'),
    () => new BoundNetworks(directory).addresses,
    (handlers) => implement(ipamKind, handlers),
  );

async function verified(start: TestPlugin<BoundNetworks>, options: VerifyOptions = {}) {
  const { results } = await verify(start.socket, { start, deadlineMs: 10_000, ...options });
  const words = results.flatMap(({ case: { id }, outcome, finding, reason }) =>
    outcome === 'passed' ? [] : [[outcome, id, finding?.message ?? reason]],
  );
  return { results, words, left: results.flatMap(({ leftBehind }) => leftBehind) };
}

const nothing = { networks: {}, endpoints: {} };

test('a driver that takes subnets of its own alone has its networks of those', async () => {
  const about = ['a', 'create', 'crash-keeps', 'crash-in-a-create', 'delete', 'endpoint', 'free', 'two'];
  const { results, words, left } = await verified(pluginOf(), { only: about.map((begin) => `network/${begin}`) });
  expect(words).toEqual([
    [
      'skipped',
      'network/any-subnet',
      expect.stringMatching(/one IPAM driver alone, .*198.*is not of my --ipam-driver/),
    ],
  ]);
  expect(results.length).toBeGreaterThan(25);
  expect(left).toEqual([]);
  const { state, links, addresses } = new BoundNetworks(directory);
  expect({ state, links }).toMatchObject({ state: nothing, links: [] });
  expect(addresses.pools).toEqual({});
});

test('its IPAM driver may be another plugin, which its author names', async () => {
  await using other = addressesAlone();
  await other.start();
  const chosen = { only: ['network/create', 'network/endpoint', 'network/crash', 'network/any-subnet'] };
  const { words, left } = await verified(pluginOf(undefined, false), { ...chosen, ipamDriver: other.socket });
  expect(words).toEqual([['skipped', 'network/any-subnet', expect.stringContaining('is not of my --ipam-driver')]]);
  expect(left).toEqual([]);
  expect(new BoundNetworks(directory).addresses.pools).toEqual({});
});

test('a driver that needs another one’s subnets, which nobody named, fails with a hint', async () => {
  const { words } = await verified(pluginOf(undefined, false), {
    only: ['network/any-subnet', 'network/create-again'],
  });
  expect(words).toEqual([
    ['failed', 'network/any-subnet', expect.stringContaining('name that: --ipam-driver')],
    ['failed', 'network/create-again', expect.stringContaining('expected a network to be made')],
    ['warned', 'network/create-again-succeeds', expect.stringContaining('expected a network to be made')],
  ]);
});

test('a driver that takes subnets of others as well has its networks of its own where its author says so', async () => {
  const { CreateNetwork, CreateEndpoint } = new HealthyNetworks(directory);
  const asked: boolean[] = [];
  const plugin = pluginOf({
    finds: 'network/any-subnet',
    about: 'takes all',
    handlers: (own) => ({
      CreateNetwork(request, context) {
        asked.push(Object.hasOwn(own.addresses.pools, request.IPv4Data[0]?.Pool ?? ''));
        return CreateNetwork(request, context);
      },
      CreateEndpoint,
    }),
  });
  const only = ['network/two-networks', 'network/any-subnet'];
  expect((await verified(plugin, { only })).words).toEqual([]);
  expect(asked).not.toContain(true);
  asked.length = 0;
  expect((await verified(plugin, { only, ipamDriver: plugin.socket })).words).toEqual([]);
  expect(asked.sort()).toEqual([false, true, true]);
});

/** Flaws of the network half, found with its own subnets, too. */
const flaws = () =>
  networkFlaws().filter(({ finds }) =>
    [
      'network/create',
      'network/create-ipv6',
      'network/free',
      'network/endpoint-chosen-mac',
      'network/leave',
      'network/crash-keeps-deletions',
      'network/crash-in-a-create',
    ].includes(finds),
  );

test.each(flaws().map(({ finds, about }, at) => ({ finds, about, at })))(
  '$finds fails on one that $about',
  async ({ finds, at }) => {
    const { results } = await verified(pluginOf(flaws()[at]), { only: [finds], deadlineMs: 1_000 });
    expect(results.find((one) => one.case.id === finds)?.outcome).toBe('failed');
  },
);

test('a refusal of other subnets is readable', async () => {
  const plugin = pluginOf({
    finds: 'network/any-subnet',
    about: 'shows its stack',
    handlers: (own) => ({
      CreateNetwork(request, context) {
        if (!own.addresses.pools[request.IPv4Data[0]?.Pool ?? ''])
          throw new Error('no pool\n    at create (d.js:7:11)');
        return own.CreateNetwork(request, context);
      },
    }),
  });
  const { words } = await verified(plugin, { only: ['network/any-subnet', 'network/two-networks'] });
  expect(words).toEqual([['failed', 'network/any-subnet', expect.stringContaining('a stack trace')]]);
});

test('a driver that takes no subnet at all fails', async () => {
  const plugin = pluginOf({
    finds: 'network/two-networks',
    about: 'takes none',
    handlers: () => ({
      CreateNetwork() {
        throw new Error('no more room');
      },
    }),
  });
  const { words } = await verified(plugin, { only: ['network/any-subnet', 'network/two-networks'] });
  expect(words).toEqual([
    ['failed', 'network/any-subnet', expect.stringContaining('no more room')],
    ['failed', 'network/two-networks', expect.stringContaining('no more room')],
  ]);
});

test('an IPAM driver that is none, or is not there, is told in one sentence', async () => {
  const plugin = pluginOf(undefined, false);
  await expect(verified(plugin, { ipamDriver: plugin.socket })).rejects.toThrow(
    'it implements NetworkDriver, not IpamDriver',
  );
  await expect(verified(plugin, { ipamDriver: join(directory, 'none.sock') })).rejects.toThrow('does not say what');
});

test('options that nobody would get are refused', async () => {
  await using other = addressesAlone();
  await other.start();
  const options = { a: 'b' };
  await expect(verify(other.socket, { options })).rejects.toThrow('by --ipam-opt, not by --opt');
  await expect(verify(other.socket, { ipamDriver: other.socket })).rejects.toThrow(
    '--ipam-driver is for a network plugin',
  );
  await expect(verified(pluginOf(undefined, false), { ipamOptions: options })).rejects.toThrow(
    'or beside --ipam-driver',
  );
});
