import {
  appendFileSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { ExtensionStatus, Extensions } from '@cleat/extensions/service';
import { conflict } from '@cleat/protocol/errors';
import { silentLogger } from '@cleat/protocol/log';
import type { LogEntry } from '@cleat/protocol/log-entry';
import { LogEntryDecoder } from '@cleat/protocol/log-entry-decoder';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EngineConfig } from '../../config.js';
import { openSpool, type Spool } from '../index.js';

const kinds: readonly string[] = ['LogDriver'];

const id = 'c'.repeat(64);
const stamp = '2025-11-22T02:53:20.123456789+00:00';
const nanos = 1763780000123456789n;

let directory: string;
let driver: Driver;
let spool: Spool;

/** A log driver that keeps what it gets, and can be made to misbehave. */
class Driver {
  readonly entries: LogEntry[] = [];
  readonly calls: string[] = [];
  reads = true;
  refuses: string | undefined;
  changed: ((status: ExtensionStatus) => void) | undefined;
  readonly #sockets = new Map<string, Socket>();

  readonly client = {
    StartLogging: async ({ File }: { File: string }) => {
      this.calls.push('start');
      if (this.refuses) throw conflict(this.refuses);
      if (this.reads) this.read(File);
      return {};
    },
    StopLogging: async () => {
      this.calls.push('stop');
      return {};
    },
  };

  read(path: string): void {
    const decoder = new LogEntryDecoder();
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const socket = new Socket({ fd, readable: true, writable: false });
    socket.on('data', (chunk) => {
      for (const entry of decoder.push(chunk)) this.entries.push({ ...entry, line: Buffer.from(entry.line) });
    });
    this.#sockets.set(path, socket);
  }

  /** As when its process is killed. */
  die(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
    this.#sockets.clear();
  }

  lines(): string[] {
    return this.entries.map(({ line }) => Buffer.from(line).toString());
  }
}

function open(): Spool {
  const extensions = {
    get: async () => driver.client,
    onChange: (listener: (status: ExtensionStatus) => void) => {
      driver.changed = listener;
      return () => {};
    },
  } as unknown as Extensions;
  const config = { dataRoot: join(directory, 'data'), execRoot: join(directory, 'exec') } as EngineConfig;
  return openSpool({ config, log: silentLogger, extensions });
}

const info = { ContainerID: id, ContainerName: '/test', Config: {} };
const path = () => join(directory, 'data', 'containers', id, 'spool');
const print = (text: string, tag = 'F') => appendFileSync(path(), `${stamp} stdout ${tag} ${text}\n`);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `line ${from + n}`);

async function until(what: () => boolean): Promise<void> {
  while (!what()) await pause(2);
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-driver-'));
  mkdirSync(join(directory, 'exec'));
  driver = new Driver();
  spool = open();
  spool.pathFor(id);
});

afterEach(async () => {
  await spool.close();
  driver.die();
  rmSync(directory, { recursive: true, force: true });
});

test('a driver gets every line as an entry, and is told to stop when it has all', async () => {
  await spool.startDriver(id, 'test', info);
  spool.began(id);
  print('one');
  await until(() => driver.entries.length === 1);
  print('frag', 'P');
  print('ment');
  print('x'.repeat(8000), 'P');
  print('x'.repeat(8000), 'P');
  print('x'.repeat(1000));
  print('prompt> ', 'P');
  spool.ended(id);
  await until(() => driver.calls.includes('stop'));
  expect(driver.entries[0]).toEqual({ source: 'stdout', timeNano: nanos, line: Buffer.from('one'), partial: false });
  expect(driver.lines()[1]).toBe('fragment');
  const [first, second, rest] = driver.entries.slice(2);
  expect([first?.line.length, second?.line.length]).toEqual([16_384, 616]);
  expect(first?.partialLogMetadata).toEqual({ last: false, id: second?.partialLogMetadata?.id, ordinal: 1 });
  expect(second?.partialLogMetadata).toMatchObject({ last: true, ordinal: 2 });
  expect(rest?.partial && rest.line.toString()).toBe('prompt> ');
  expect(readdirSync(join(directory, 'exec', 'log'))).toEqual([]);
});

test('a container that prints nothing costs its driver two calls', async () => {
  await spool.startDriver(id, 'test', info);
  spool.began(id);
  spool.ended(id);
  await until(() => driver.calls.includes('stop'));
  expect(driver.calls).toEqual(['start', 'stop']);
});

test('a burst, then another run: nothing is lost and nothing comes twice', async () => {
  for (const run of [0, 1]) {
    await spool.startDriver(id, 'test', info);
    spool.began(id);
    for (let n = 0; n < 20; n++) {
      appendFileSync(
        path(),
        range(run * 20_000 + n * 1000, run * 20_000 + (n + 1) * 1000)
          .map((line) => `${stamp} stdout F ${line}\n`)
          .join(''),
      );
      if (n % 5 === 0) await pause(10);
    }
    spool.ended(id);
    await until(() => driver.calls.length === 2 * (run + 1));
    expect(driver.entries).toHaveLength(20_000 * (run + 1));
  }
  expect(driver.lines()).toEqual(range(0, 40_000));
});

test('a driver that does not read holds nobody up, and later gets what it missed', async () => {
  driver.reads = false;
  await spool.startDriver(id, 'test', info);
  spool.began(id);
  for (const line of range(0, 5000)) print(line);
  await pause(50);
  driver.reads = true;
  driver.changed?.({ name: 'test', state: 'unreachable', kinds } as ExtensionStatus);
  driver.changed?.({ name: 'test', state: 'active', kinds } as ExtensionStatus);
  await until(() => driver.entries.length >= 5000);
  expect(driver.lines()).toEqual(range(0, 5000));
});

test('a driver that dies in the middle misses nothing', async () => {
  await spool.startDriver(id, 'test', info);
  spool.began(id);
  for (const line of range(0, 3000)) print(line);
  await until(() => driver.entries.length > 1000);
  driver.die();
  for (const line of range(3000, 12_000)) print(line);
  await pause(50);
  driver.changed?.({ name: 'test', state: 'unreachable', kinds } as ExtensionStatus);
  driver.changed?.({ name: 'test', state: 'active', kinds } as ExtensionStatus);
  await until(() => driver.lines().at(-1) === 'line 11999');
  expect(new Set(driver.lines())).toEqual(new Set(range(0, 12_000)));
});

test('an engine that was killed goes on without a hole', async () => {
  await spool.startDriver(id, 'test', info);
  spool.began(id);
  for (const line of range(0, 20_000)) print(line);
  await until(() => driver.entries.length === 20_000);
  // The next engine knows only what is on disk.
  const killed = spool;
  driver.die();
  for (const line of range(20_000, 30_000)) print(line);
  spool = open();
  await spool.startDriver(id, 'test', info);
  spool.began(id);
  await until(() => driver.lines().at(-1) === 'line 29999');
  expect(driver.calls.slice(0, 3)).toEqual(['start', 'stop', 'start']);
  expect(new Set(driver.lines())).toEqual(new Set(range(0, 30_000)));
  expect(driver.entries.length).toBeLessThan(30_000 + 10_000);
  await killed.close();
});

test('a container that ends before its driver has answered', async () => {
  print('one');
  const started = spool.startDriver(id, 'test', info);
  spool.began(id);
  spool.ended(id);
  await started;
  await until(() => driver.calls.includes('stop'));
  expect(driver.lines()).toEqual(['one']);
});

test('a refusal is the start’s failure', async () => {
  driver.refuses = 'unknown log opt';
  await expect(spool.startDriver(id, 'test', info)).rejects.toMatchObject({
    class: 'Conflict',
    message: 'failed to initialize logging driver: unknown log opt',
  });
  expect(existsSync(join(directory, 'exec', 'log', id))).toBe(false);
});

test('none has no driver, and its logs cannot be read', async () => {
  await spool.startDriver(id, 'none', info);
  expect(driver.calls).toEqual([]);
  expect(spool.canRead('none')).toBe(false);
  closeSync(openSync(path(), 'r'));
});
