import {
  appendFileSync,
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { makeFifo } from '@cleat/linux/syscall/files';
import type { LogInfo } from '@cleat/protocol/kinds/log';
import { silentLogger } from '@cleat/protocol/log';
import { encodeLogEntry, type LogEntry } from '@cleat/protocol/log-entry';
import { LogEntryDecoder } from '@cleat/protocol/log-entry-decoder';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { jsonFileDriver } from './driver.js';
import { jsonFileOptions } from './log-options.js';

const start = 1763780000123456700n;
let directory: string;
let driver: ReturnType<typeof jsonFileDriver>;
let logPath: string;
let fifo: string;
const context = { signal: new AbortController().signal };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-json-file-'));
  logPath = join(directory, 'test-json.log');
  fifo = join(directory, 'fifo');
  driver = jsonFileDriver(silentLogger);
});

afterEach(async () => {
  await driver.close();
  rmSync(directory, { recursive: true, force: true });
});

const info = (config: Record<string, string> = {}): LogInfo => ({
  Config: config,
  ContainerID: '0123456789abcdef',
  ContainerName: '/web',
  ContainerLabels: { app: 'shop', tier: 'front' },
  ContainerEnv: ['STAGE=test', 'SECRET=x'],
  LogPath: logPath,
});

const entry = (line: string | Buffer, n = 0): LogEntry => ({
  source: 'stdout',
  timeNano: start + BigInt(n),
  line: Buffer.from(line),
  partial: false,
});

/** One run of a container, as an engine does it. */
async function run(entries: LogEntry[], config?: Record<string, string>): Promise<void> {
  makeFifo(fifo, 0o600);
  const end = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  await driver.handlers.StartLogging({ File: fifo, Info: info(config) }, context);
  for (const bytes of entries.map(encodeLogEntry)) await write(end, bytes);
  closeSync(end);
  rmSync(fifo);
  await driver.handlers.StopLogging({ File: fifo }, context);
}

async function write(end: number, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(end, bytes, done);
    } catch {
      // The pipe is full.
      await pause(1);
    }
  }
}

const written = () => readFileSync(logPath, 'utf8');

async function read(config: { Tail?: number; Since?: string; Follow?: boolean } = {}): Promise<string[]> {
  const decoder = new LogEntryDecoder();
  const lines: string[] = [];
  const stream = await driver.handlers.ReadLogs?.({ Info: info(), Config: config }, context);
  for await (const chunk of stream ?? []) for (const { line } of decoder.push(chunk)) lines.push(String(line));
  return lines;
}

test('lines as Docker writes them, byte for byte', async () => {
  const part = {
    ...entry('<a> & "b"\t\u2028', 1),
    partial: true,
    partialLogMetadata: { last: false, id: 'x', ordinal: 1 },
  };
  const last = {
    ...part,
    line: Buffer.from([0x65, 0xff, 0x66]),
    partialLogMetadata: { last: true, id: 'x', ordinal: 2 },
  };
  await run([
    entry('hello'),
    part,
    last,
    { ...entry(''), source: 'stderr', timeNano: start - (start % 1_000_000_000n) },
  ]);
  expect(written()).toBe(
    [
      '{"log":"hello\\n","stream":"stdout","time":"2025-11-22T02:53:20.1234567Z"}',
      '{"log":"\\u003ca\\u003e \\u0026 \\"b\\"\\t\\u2028","stream":"stdout","time":"2025-11-22T02:53:20.123456701Z"}',
      '{"log":"e\ufffdf\\n","stream":"stdout","time":"2025-11-22T02:53:20.123456701Z"}',
      '{"log":"\\n","stream":"stderr","time":"2025-11-22T02:53:20Z"}',
      '',
    ].join('\n'),
  );
});

test('attributes', async () => {
  await run([entry('x')], { labels: 'app,none', 'env-regex': '^ST', tag: '{{.Name}}/{{.ID}}' });
  expect(JSON.parse(written()).attrs).toEqual({ STAGE: 'test', app: 'shop', tag: 'web/0123456789ab' });
});

test('many lines, then another run: all of them, in order', async () => {
  const lines = (from: number) => Array.from({ length: 20_000 }, (_, n) => entry(`line ${from + n}`, from + n));
  await run(lines(0));
  await run(lines(20_000));
  expect(
    written()
      .split('\n')
      .slice(0, -1)
      .map((text) => JSON.parse(text).log),
  ).toEqual(Array.from({ length: 40_000 }, (_, n) => `line ${n}\n`));
  expect(readdirSync(directory)).toEqual(['test-json.log']);
});

test('files are rotated, counted and compressed', async () => {
  const lines = Array.from({ length: 100 }, (_, n) => entry(`line ${n}`, n));
  for (const some of [0, 25, 50, 75]) {
    await run(lines.slice(some, some + 25), { 'max-size': '1k', 'max-file': '3', compress: 'true' });
  }
  expect(readdirSync(directory).sort()).toEqual(['test-json.log', 'test-json.log.1.gz', 'test-json.log.2.gz']);
  const kept = await read();
  expect(kept).toEqual(lines.slice(-kept.length).map(({ line }) => `${line}\n`));
  expect(kept.length).toBeGreaterThan(25);
  const oldest = gunzipSync(readFileSync(`${logPath}.2.gz`)).toString();
  expect(oldest).toContain(`line ${100 - kept.length}\\n`);
  // The line that reaches the limit is the last one.
  expect(oldest.length).toBeGreaterThanOrEqual(1000);
  expect(oldest.length).toBeLessThan(1100);
  await run(lines, { 'max-size': '1k' });
  expect(written()).toContain('line 99');
  expect(written().length).toBeLessThan(1100);
});

test('after a crash the half line goes, and what comes again is not written again', async () => {
  const lines = [0, 1, 2, 2, 2, 3, 4].map((time, n) => entry(`line ${n}`, time));
  await run(lines.slice(0, 4));
  writeFileSync(`${logPath}.open`, '');
  appendFileSync(logPath, '{"log":"li');
  await run(lines);
  expect(
    written()
      .split('\n')
      .slice(0, -1)
      .map((text) => JSON.parse(text).log),
  ).toEqual(lines.map(({ line }) => `${line}\n`));
  expect(existsSync(`${logPath}.open`)).toBe(false);
});

test('reading: tail, since, and following until the end', async () => {
  await run([entry('a', 0), entry('b', 100), entry('c', 200)]);
  expect(await read({ Tail: 2 })).toEqual(['b\n', 'c\n']);
  expect(await read({ Tail: -1, Since: '2025-11-22T02:53:20.1234568Z' })).toEqual(['b\n', 'c\n']);
  expect(await read({ Tail: 0, Since: '0001-01-01T00:00:00Z' })).toEqual([]);
  makeFifo(fifo, 0o600);
  const end = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  await driver.handlers.StartLogging({ File: fifo, Info: info() }, context);
  const following = read({ Tail: 1, Follow: true });
  await pause(20);
  await write(end, encodeLogEntry(entry('d', 300)));
  closeSync(end);
  await driver.handlers.StopLogging({ File: fifo }, context);
  expect(await following).toEqual(['c\n', 'd\n']);
});

test('a writer that comes late, and one that stays open', async () => {
  makeFifo(fifo, 0o600);
  await driver.handlers.StartLogging({ File: fifo, Info: info() }, context);
  await pause(50);
  const end = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  await write(end, encodeLogEntry(entry('late')));
  await driver.handlers.StopLogging({ File: fifo }, context);
  expect(written()).toContain('late');
  closeSync(end);
});

test('options are refused in Docker’s words', () => {
  const refusal = (config: Record<string, string>) => () => jsonFileOptions(info(config));
  expect(refusal({ colour: 'red' })).toThrow("unknown log opt 'colour' for json-file log driver");
  expect(refusal({ 'max-size': 'big' })).toThrow("invalid size: 'big'");
  expect(refusal({ 'max-size': '0' })).toThrow('max-size must be a positive number');
  expect(refusal({ 'max-file': '0' })).toThrow('max-file cannot be less than 1');
  expect(refusal({ compress: 'true' })).toThrow('compress cannot be true when max-file is less than 2');
  expect(refusal({ tag: '{{.Nonsense}}' })).toThrow("can't evaluate field Nonsense in type *logger.Info");
  expect(jsonFileOptions(info({ 'max-size': '10m', 'max-file': '3', mode: 'non-blocking' }))).toMatchObject({
    maxBytes: 10_000_000,
    maxFiles: 3,
  });
});
