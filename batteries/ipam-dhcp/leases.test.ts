import { silentLogger } from '@cleat/protocol/log';
import { beforeEach, expect, test } from 'vitest';
import { forever } from './answers.js';
import { DhcpClient } from './client.js';
import type { Clock } from './clock.js';
import { dueAt, type Lease, onClock, phaseOf } from './lease.js';
import { Leases } from './leases.js';
import { FakeServer, serverMac } from './server.fixture.js';
import { addressBytes, messageType, option } from './wire/message.js';

/** Time that passes when it is told to. */
class FakeClock implements Clock {
  time = 1_000_000;
  #timers: { when: number; work: () => unknown }[] = [];

  now = () => this.time;

  at(when: number, work: () => unknown): () => void {
    const timer = { when, work };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  get waiting(): number {
    return this.#timers.length;
  }

  /** Seconds from now until the next timer. */
  get next(): number {
    return (Math.min(...this.#timers.map(({ when }) => when)) - this.time) / 1000;
  }

  /** Goes to the next timer and does its work. */
  async step(): Promise<void> {
    const when = Math.min(...this.#timers.map((timer) => timer.when));
    this.time = Math.max(this.time, when);
    const due = this.#timers.filter((timer) => timer.when === when);
    this.#timers = this.#timers.filter((timer) => timer.when !== when);
    for (const { work } of due) await work();
  }
}

const lease = (more: Partial<Lease> = {}): Lease => ({
  ...{ v: 1, pool: 'p', link: 'eth0', subnet: '10.1.2.0/24', address: '10.1.2.50', mac: '02:42:00:00:00:07' },
  ...{ hostName: 'web', holder: 'h', server: '10.1.2.1', serverMac, since: 1_000_000 },
  ...{ seconds: 100, renewAfter: 50, rebindAfter: 87, ...more },
});

let clock: FakeClock;
let server: FakeServer;
let state: Map<string, Lease>;
let said: string[];
let leases: Leases;
const log = {
  ...silentLogger,
  info: (message: string) => void said.push(`info: ${message}`),
  error: (message: string, fields = {}) => void said.push(`error: ${message} ${JSON.stringify(fields)}`),
};
const start = () => new Leases(state, new DhcpClient(server.openPort), clock, log);
beforeEach(() => {
  clock = new FakeClock();
  server = new FakeServer();
  state = new Map();
  said = [];
  leases = start();
});
/** The lease as the server knows it, too. */
async function leased(): Promise<void> {
  await new DhcpClient(server.openPort).discover(lease(), { address: '', subnet: '' }, patience);
  leases.keep(lease());
  server.heard.length = 0;
}
const patience = { ms: 5_000, signal: new AbortController().signal };
/** An attempt that nobody answers; its deadline is not waited for. */
async function unanswered(): Promise<void> {
  const attempt = clock.step();
  await Promise.resolve();
  server.unplug();
  await attempt;
}

test('the phases of a lease', () => {
  const at = (seconds: number, more: Partial<Lease> = {}) => phaseOf(lease(more), 1_000_000 + seconds * 1000);
  expect([0, 49, 50, 86, 87, 99, 100].map((seconds) => at(seconds))).toEqual([
    ...['bound', 'bound', 'renewing', 'renewing', 'rebinding', 'rebinding', 'expired'],
  ]);
  expect(at(1e9, { seconds: forever })).toBe('bound');
  expect(at(0, { lost: true })).toBe('lost');
});

test('attempts become more frequent as the end comes, and never follow each other at once', () => {
  const due = (attempted: number, more: Partial<Lease> = {}, attempts = 1) => {
    const when = dueAt(lease({ since: 0, ...more }), attempted * 1000, attempts);
    return when === undefined ? undefined : when / 1000;
  };
  expect([0, 50, 68.5, 86, 87, 99].map((attempted) => due(attempted))).toEqual([50, 68.5, 77.75, 87, 93.5, 100]);
  expect(due(0, { seconds: forever })).toBeUndefined();
  const day = { seconds: 86_400, renewAfter: 43_200, rebindAfter: 75_600 };
  expect([43_200, 75_500, 86_300].map((attempted) => due(attempted, day))).toEqual([59_400, 75_560, 86_360]);
  const lost = [0, 1, 2, 3, 6, 60].map((attempts) => due(1000, { lost: true }, attempts));
  expect(lost).toEqual([1000, 1010, 1020, 1040, 1300, 1300]);
});

test('a clock that went back makes no lease longer', () => {
  expect(onClock(lease(), 2_000_000)).toEqual(lease());
  expect(onClock(lease(), 500_000).since).toBe(450_000);
});

test('a lease is renewed at its half, for as long as it is not released', async () => {
  await leased();
  for (let times = 1; times <= 3; times++) {
    expect(clock.next).toBe(50);
    await clock.step();
    expect(server.heard).toEqual(Array(times).fill('request 10.1.2.50 02:42:00:00:00:07'));
    expect(state.get('p 10.1.2.50')).toEqual(lease({ since: clock.time }));
  }
  leases.release(({ holder }) => holder === 'h');
  expect(server.heard.at(-1)).toBe('release 10.1.2.50 02:42:00:00:00:07');
  expect([state.size, clock.waiting, server.open]).toEqual([0, 0, 0]);
});

test('a process that was killed goes on where it was; one that slept too long asks anew', async () => {
  await leased();
  leases.close();
  expect(clock.waiting).toBe(0);
  clock.time += 30_000;
  start().resume();
  expect(clock.next).toBe(20);
  await clock.step();
  expect(state.get('p 10.1.2.50')?.since).toBe(1_050_000);
  leases.close();

  clock = new FakeClock();
  clock.time = 9_000_000;
  const late = start();
  late.resume();
  await clock.step();
  expect(said[0]).toMatch(/^error: a running container’s address is no longer leased .* until it ended/);
  await clock.step();
  expect(said[1]).toBe('info: a lease is the container’s again');
  expect(state.get('p 10.1.2.50')).toEqual(lease({ since: 9_000_000 }));
});

test('a server that is away is asked until the lease ends, and then for the same address again', async () => {
  await leased();
  server.silent = true;
  const at: number[] = [];
  while (said.length === 0) {
    await unanswered();
    at.push((clock.time - 1_000_000) / 1000);
  }
  expect(at).toEqual([50, 68.5, 77.75, 82.75, 87, 93.5, 98.5, 100]);
  // The container has it still.
  expect(state.get('p 10.1.2.50')).toEqual(lease({ lost: true }));
  await unanswered();
  await unanswered();
  expect(server.heard.at(-1)).toBe('discover 10.1.2.50 02:42:00:00:00:07');
  server.silent = false;
  await clock.step();
  expect(state.get('p 10.1.2.50')).toEqual(lease({ since: clock.time }));
  expect(said).toHaveLength(2);
});

test('a lease that its server refuses is told of once, and not given back', async () => {
  await leased();
  server.answers = (_, asked) => [
    { type: asked.options.get(53)?.[0] === 1 ? messageType.offer : messageType.nak, address: '10.1.2.77' },
  ];
  await clock.step();
  expect(said).toEqual([expect.stringContaining('"why":"server 10.1.2.1 refused it"')]);
  // It is offered another one, which would be of no use.
  await clock.step();
  expect(said).toHaveLength(1);
  expect(server.heard.at(-1)).toBe('release 10.1.2.77 02:42:00:00:00:07');
  expect(state.get('p 10.1.2.50')?.lost).toBe(true);
  const heard = server.heard.length;
  leases.release(() => true);
  expect(server.heard).toHaveLength(heard);
  expect(clock.waiting).toBe(0);
});

test('another server’s refusal counts only when any server is asked', async () => {
  await leased();
  const stranger = { [option.serverIdentifier]: addressBytes('10.1.2.9') };
  server.answers = () => [{ type: messageType.nak, address: '0.0.0.0', options: stranger }];
  for (let attempts = 0; attempts < 4; attempts++) await unanswered();
  expect(said).toEqual([]);
  await clock.step();
  expect(said).toEqual([expect.stringContaining('"why":"server 10.1.2.9 refused it"')]);
});

test('a release in the middle of an attempt ends it', async () => {
  await leased();
  server.silent = true;
  const attempt = clock.step();
  await Promise.resolve();
  leases.release(() => true);
  await attempt;
  expect([state.size, clock.waiting, server.open, said]).toEqual([0, 0, 0, []]);
});
