import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExtensionStatus } from '@cleat/extensions/service';
import { idle } from '@cleat/extensions/status';
import { notFound, unavailable } from '@cleat/protocol/errors';
import { networkKind } from '@cleat/protocol/kinds/network';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { announceNodes } from './index.js';
import { readNodes } from './list.js';

/** Drivers that say what they were told, and answer as they are to. */
let directory: string;
let list: string;
let told: string[];
let answer: (driver: string, what: string) => Promise<object>;
let scopes: Record<string, 'local' | 'global'>;
let change: (status: ExtensionStatus) => void;
let end: () => void;

const somebody = {
  ...idle,
  entry: undefined,
  carrier: 'socket',
  origin: '',
  reason: '',
  since: new Date(0),
} as const;

const comes = (name: string, state: ExtensionStatus['state'] = 'active', kind: string = networkKind.name) =>
  change({ ...somebody, name, kinds: [kind], state });

function announce(follows: 'a list' | 'no list' = 'a list'): void {
  const say = (driver: string, method: string) => async (request: { DiscoveryData: object; DiscoveryType: number }) => {
    const what = `${driver} ${method} ${request.DiscoveryType} ${Object.values(request.DiscoveryData).join(' ')}`;
    told.push(what);
    return await answer(driver, what);
  };
  const drivers = {
    networkCapabilities: async (driver: string) => ({ connects: scopes[driver] ?? 'local' }),
    network: async (driver: string) => ({
      DiscoverNew: say(driver, 'new'),
      DiscoverDelete: say(driver, 'delete'),
    }),
  };
  const extensions = {
    onChange: (listener: (status: ExtensionStatus) => void) => {
      change = listener;
      return () => {};
    },
  };
  const config = { nodeAddress: '192.0.2.1', nodeList: follows === 'a list' ? list : undefined };
  end = announceNodes({ config, drivers: drivers as never, extensions, log: silentLogger });
}

function write(...lines: string[]): void {
  writeFileSync(`${list}.new`, lines.join('\n'));
  renameSync(`${list}.new`, list);
}

/** The calls since the last time. */
async function heard(ms = 0): Promise<string[]> {
  await vi.advanceTimersByTimeAsync(ms);
  return told.splice(0);
}

beforeEach(() => {
  vi.useFakeTimers();
  directory = mkdtempSync(join(tmpdir(), 'cleat-nodes-'));
  list = join(directory, 'nodes');
  told = [];
  scopes = { wide: 'global', other: 'global' };
  answer = async () => ({});
});
afterEach(() => {
  end();
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

test('a driver that connects globally hears of this host first, and of the others', async () => {
  write('# this rack', '192.0.2.7 # seven', '', '2001:DB8::0:1', '192.0.2.1', '192.0.2.7');
  announce();
  comes('wide');
  comes('narrow');
  comes('wide-volumes', 'active', 'VolumeDriver');
  expect(await heard()).toEqual([
    'wide new 1 192.0.2.1 192.0.2.1 true',
    'wide new 1 192.0.2.7  false',
    'wide new 1 2001:db8::1  false',
  ]);
});

test('without a list it hears of this host alone', async () => {
  announce('no list');
  comes('wide');
  expect(await heard()).toEqual(['wide new 1 192.0.2.1 192.0.2.1 true']);
});

test('nodes come and go with the list, each driver hears only what changed', async () => {
  write('192.0.2.2', '192.0.2.3');
  announce();
  comes('wide');
  await heard();
  write('192.0.2.3', '192.0.2.4');
  expect(await heard(1_000)).toEqual(['wide delete 1 192.0.2.2  false', 'wide new 1 192.0.2.4  false']);
  expect(await heard(5_000)).toEqual([]);
  comes('other');
  expect(await heard()).toHaveLength(3);
});

test('a driver that comes again hears all again', async () => {
  write('192.0.2.2');
  announce();
  comes('wide');
  await heard();
  comes('wide', 'unreachable');
  expect(await heard(5_000)).toEqual([]);
  comes('wide');
  expect(await heard()).toHaveLength(2);
});

test('a list that is wrong or gone changes nothing', async () => {
  write('192.0.2.2');
  announce();
  comes('wide');
  await heard();
  write('192.0.2.3', 'node-4');
  expect(await heard(2_000)).toEqual([]);
  rmSync(list);
  expect(await heard(2_000)).toEqual([]);
  write('192.0.2.3');
  expect(await heard(1_000)).toEqual(['wide delete 1 192.0.2.2  false', 'wide new 1 192.0.2.3  false']);
});

test('a driver that fails is told later, and of the rest after it', async () => {
  write('192.0.2.2');
  announce();
  answer = async () => {
    throw unavailable('not now');
  };
  comes('wide');
  expect(await heard()).toEqual(['wide new 1 192.0.2.1 192.0.2.1 true']);
  expect(await heard(1_000)).toHaveLength(1);
  answer = async () => ({});
  expect(await heard(1_999)).toEqual([]);
  expect(await heard(1)).toHaveLength(2);
  expect(await heard(120_000)).toEqual([]);
});

test('a driver that went is not told any longer', async () => {
  announce('no list');
  answer = async () => {
    throw notFound('no such node');
  };
  comes('wide');
  await heard();
  comes('wide', 'unreachable');
  expect(await heard(120_000)).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test('a change while a driver is being told is told, too', async () => {
  let goOn = () => {};
  write('192.0.2.2');
  announce();
  answer = (_, what) =>
    what.includes('true') ? new Promise((resolve) => (goOn = () => resolve({}))) : Promise.resolve({});
  comes('wide');
  await heard();
  write('192.0.2.3');
  await heard(1_000);
  goOn();
  expect(await heard()).toEqual(['wide new 1 192.0.2.3  false']);
});

test('a list has a bound', () => {
  write(...Array.from({ length: 4097 }, (_, at) => `10.0.${at >> 8}.${at & 255}`));
  expect(() => readNodes(list, '')).toThrow('has 4097 nodes: at most 4096 are told of');
  write('192.0.2.300');
  expect(() => readNodes(list, '')).toThrow('line 1: 192.0.2.300 is not an IP address');
  announce('no list');
});
