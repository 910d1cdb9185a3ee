import { ipamKind } from '@cleat/protocol/kinds/ipam';
import { networkKind } from '@cleat/protocol/kinds/network';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Way, ways } from './ledger.fixture.js';
import { live, removeAll, World } from './world.fixture.js';

/**
 * Each call to a network or IPAM driver goes wrong, in each way: what the driver gave away comes back, in an order that it can
 * cope with, nothing is left on the host, and the next attempt succeeds.
 */
let world: World;
beforeEach(async () => {
  world = new World();
  await world.networks.start();
});
afterEach(() => world[Symbol.asyncDispose]());

/** Calls about nodes, links and names are of no network's life. */
const others = ['DiscoverNew', 'DiscoverDelete', 'OpenLinks', 'RenameEndpoint', 'WatchNames'];
const methods = [networkKind, ipamKind].flatMap(({ name, methods: all }) =>
  Object.keys(all)
    .filter((method) => !others.includes(method))
    .map((method) => `${name}.${method}`),
);
/** A driver that is asked so late may have done it, or not. */
const deadlineMs = 200;

async function balanced(): Promise<void> {
  await expect.poll(() => world.left()).toEqual([]);
  expect(world.ledger.complaints).toEqual([]);
}

async function faulty(method: string, way: Way, before: number): Promise<string[]> {
  world.ledger.fault = { method, way, before, times: 1 };
  if (way === 'hangs') await world.hurry(method, deadlineMs);
  const failures = await live(world);
  await balanced();
  world.ledger.fault = undefined;
  await world.hurry('*', 60_000);
  return failures;
}

test('a life without faults asks everything', async () => {
  expect(await live(world)).toEqual([]);
  await balanced();
  expect(methods.filter((method) => !world.ledger.calls.includes(method))).toEqual([]);
});

test.each(methods)('%s goes wrong', async (method) => {
  // At the first call, and at one in the middle of something.
  for (const [at, way] of ways.entries()) await faulty(method, way, at % 2);
  expect(await live(world)).toEqual([]);
  await balanced();
});

describe('the engine is killed in', () => {
  test.each(methods)('%s', async (method) => {
    const { ledger } = world;
    const hanging = new Promise<void>((resolve) => {
      ledger.onHang = resolve;
    });
    ledger.fault = { method, way: 'hangs', before: 0, times: 1 };
    const dead = live(world);
    await hanging;
    ledger.fault = undefined;
    await world.kill();
    await dead;
    await removeAll(world);
    await balanced();
    expect(await live(world)).toEqual([]);
    await balanced();
  });
});
