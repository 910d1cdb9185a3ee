import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unavailable } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore } from '../../store/index.js';
import type { Store } from '../../store/service.js';
import type { NamedElsewhere } from '../names/messages.js';
import { NamesElsewhere, type StoredElsewhere } from './index.js';
import { NameWatcher } from './watcher.js';

/** A driver whose answers are given by hand, and an engine's room around it. */
let root: string;
let store: Store;
let rooms: NamesElsewhere[];
let shares: boolean;
/** Answers to WatchNames, one a call; the last one stays. */
let answers: (() => AsyncIterable<Uint8Array> | undefined)[];
let calls: string[];
let refusesNames: boolean;
let told: Map<string, readonly NamedElsewhere[]>;
let warnings: string[];
let isActive: () => void;
let networks: { id: string; name: string; driver: string }[];
let endpoints: { sandbox: object; endpoint: Record<string, unknown> }[];
const log = {
  debug: () => {},
  warn: (_: string, { error }: { error: string }) => warnings.push(error),
} as unknown as Logger;

const network = {
  id: 'n1',
  name: 'net',
  driver: 'wide',
  sandbox: 'own',
  v4: [{ pool: '10.9.0.0/24' }],
  v6: [],
};
const line = (...names: string[]) =>
  `${JSON.stringify({ Endpoints: names.map((name, at) => ({ Names: [name], Addresses: [`10.9.0.${at + 2}`] })) })}\n`;
/** Says that, and then nothing more; or breaks, or ends. */
const stream = (texts: readonly string[], end: 'stays' | 'ends' | Error = 'stays') =>
  async function* () {
    for (const text of texts) yield Buffer.from(text);
    if (end instanceof Error) throw end;
    if (end === 'stays') await new Promise(() => {});
  };
const known = () => told.get('n1')?.flatMap(({ names }) => names);

function open(mostBytes?: number): NamesElsewhere {
  const drivers = {
    networkCapabilities: async () => ({ sharesNames: shares }),
    network: async () => ({
      WatchNames: async ({ NetworkID }: { NetworkID: string }) => {
        calls.push(`watch ${NetworkID}`);
        const answer = answers.length > 1 ? answers.shift() : answers[0];
        return answer?.();
      },
      RenameEndpoint: async ({ EndpointID, Names }: { EndpointID: string; Names: string[] }) => {
        if (refusesNames) throw unavailable('not now');
        calls.push(`${EndpointID} is ${Names.join()}`);
        return {};
      },
    }),
  };
  const extensions = {
    arrival: async () => {},
    onChange: (listener: (status: { name: string; state: string }) => void) => {
      isActive = () => listener({ name: 'wide', state: 'active' });
      return () => {};
    },
  };
  const names = {
    setElsewhere: async (id: string, all: readonly NamedElsewhere[]) => void told.set(id, all),
  };
  const context = {
    registry: { all: () => networks, byId: (id: string) => networks.find((one) => one.id === id) },
    endpointsOn: () => endpoints,
    sandbox: () => endpoints[0]?.sandbox,
    save: () => calls.push('saved'),
  };
  const stored = store.collection<StoredElsewhere>('names-elsewhere');
  const room = new NamesElsewhere({ stored, extensions, drivers, names, context, log } as never, mostBytes);
  rooms.push(room);
  return room;
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cleat-elsewhere-'));
  store = openStore(root);
  rooms = [];
  shares = true;
  refusesNames = false;
  answers = [stream([line('web')])];
  calls = [];
  told = new Map();
  warnings = [];
  networks = [network];
  endpoints = [];
});
afterEach(async () => {
  for (const room of rooms) room.close();
  await store.close();
  rmSync(root, { recursive: true });
});

test('names of other hosts are known as soon as they are told, and again after a change', async () => {
  let more: (text: string) => void = () => {};
  const next = new Promise<string>((resolve) => {
    more = resolve;
  });
  answers = [
    async function* () {
      yield Buffer.from(line('web'));
      yield Buffer.from(await next);
      await new Promise(() => {});
    },
  ];
  await open().consider(network as never);
  await expect.poll(known).toEqual(['web']);
  more(line('web', 'db'));
  await expect.poll(known).toEqual(['web', 'db']);
  expect(warnings).toEqual([]);
});

test('a driver that shares none, or no longer, is not watched, and what it told is forgotten', async () => {
  shares = false;
  const room = open();
  await room.consider(network as never);
  expect(calls).toEqual([]);
  shares = true;
  isActive();
  await room.consider(network as never);
  await expect.poll(known).toEqual(['web']);
  shares = false;
  isActive();
  await expect.poll(known).toEqual([]);
});

test.each([
  ['it breaks off', stream([line('a')], new Error('hung up')), 'hung up'],
  ['it ends', stream([line('a')], 'ends'), 'a stream that ended'],
  ['it dies in the middle of a line', stream([line('a'), '{"Endpo'], 'ends'), 'cut short'],
  ['it says garbage', stream([line('a'), '\u0000\u0001garbage\n']), 'a line that is none of the protocol'],
  ['it floods without an end of line', stream([line('a'), ...Array(9).fill('x'.repeat(65_536))]), 'more than 524288'],
  ['it does not know the call', () => undefined, 'a refusal, although it says SharesNames'],
])('%s: the names that it told last go on, and it is asked again', async (_, faulty, complaint) => {
  answers = [stream([line('a')]), faulty as () => AsyncIterable<Uint8Array>, stream([line('b')])];
  await open().consider(network as never);
  await expect.poll(known).toEqual(['a']);
  isActive();
  await expect.poll(() => warnings.join()).toContain(complaint);
  expect(known()).toEqual(['a']);
  await expect.poll(known).toEqual(['b']);
});

test('a driver that says a lot is heard now and then, and its last word counts', async () => {
  const many = Array.from({ length: 2_000 }, (_, at) => line(`n${at}`));
  answers = [stream([line('first'), many.join('')])];
  await open().consider(network as never);
  await expect.poll(known).toEqual(['n1999']);
  let puts = 0;
  const count = () => puts++;
  answers = [
    async function* () {
      for (;;) {
        count();
        yield Buffer.from(line(`x${puts}`));
      }
    },
  ];
  isActive();
  await expect.poll(() => known()?.[0]).toMatch(/^x/);
  // It would be thousands, were it read as fast as it speaks.
  expect(puts).toBeLessThan(100);
});

test('a driver that hangs is asked again after a time of silence', async () => {
  answers = [stream([line('a')])];
  let asked = 0;
  const drivers = {
    networkCapabilities: async () => ({ sharesNames: true }),
    network: async () => ({
      WatchNames: async () => {
        asked++;
        return stream([line('a')])();
      },
    }),
  };
  const waits = { pauses: { firstMs: 1, longestMs: 1 }, gapMs: 1, silenceMs: 10 };
  const none = { tell: async () => {}, heard: () => {}, notShared: () => {} };
  const extensions = { arrival: async () => {} };
  const settings = { network, pools: ['10.9.0.0/24'], drivers, extensions, log, ...none } as never;
  const watcher = new NameWatcher(settings, waits);
  await expect.poll(() => asked).toBeGreaterThan(2);
  watcher.close();
  expect(warnings).toEqual([]);
});

test('an engine that starts knows what the one before was told, also while the driver is away', async () => {
  const first = open();
  await first.consider(network as never);
  await expect.poll(known).toEqual(['web']);
  first.close();
  told.clear();
  answers = [stream([], unavailable('away'))];
  open().start();
  expect(known()).toEqual(['web']);
  await expect.poll(() => warnings.join()).toContain('away');
  expect(known()).toEqual(['web']);
});

test('a network that is gone takes its names along', async () => {
  const room = open();
  await room.consider(network as never);
  await expect.poll(known).toEqual(['web']);
  room.forget('n1');
  expect(known()).toEqual([]);
  told.clear();
  // Also one that was removed while another engine, which knew of no names, was here.
  store.collection<StoredElsewhere>('names-elsewhere').put('n0', { v: 1, endpoints: [] });
  open().start();
  expect([...told]).toEqual([]);
  expect(store.collection('names-elsewhere').entries()).toEqual([]);
});

test('names of endpoints are told that the driver does not know, until it takes them', async () => {
  const endpoint: Record<string, unknown> = { id: 'e1', networkId: 'n1', stage: 'joined', dnsNames: ['old', 'c0'] };
  endpoints = [{ sandbox: { containerId: 'c0', endpoints: [endpoint] }, endpoint }];
  refusesNames = true;
  const room = open();
  await room.consider(network as never);
  await expect.poll(() => warnings.join()).toContain('not now');
  refusesNames = false;
  await expect.poll(() => calls.slice(0, 3)).toEqual(['e1 is old,c0', 'saved', 'watch n1']);
  endpoint.dnsNames = ['new', 'c0'];
  room.renamed(endpoint as never);
  await expect.poll(() => calls.slice(3)).toEqual(['e1 is new,c0', 'saved', 'watch n1']);
  isActive();
  await expect.poll(() => calls.slice(6)).toEqual(['watch n1']);
});

test('all networks together have a bound', async () => {
  networks = [network, { ...network, id: 'n2', name: 'second' }];
  answers = [stream([line('first')]), stream([line('second')]), stream([line('2')])];
  const room = open(60);
  await room.consider(networks[0] as never);
  await expect.poll(known).toEqual(['first']);
  await room.consider(networks[1] as never);
  await expect.poll(() => warnings.join()).toContain('the names of all networks have more than 60 bytes');
  expect(told.get('n2')).toBeUndefined();
  // Space that one gives up is another's.
  room.forget('n1');
  await expect.poll(() => told.get('n2')?.[0]?.names).toEqual(['2']);
});
