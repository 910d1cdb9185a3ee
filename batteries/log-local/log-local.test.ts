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
import { type LogInfo, logKind } from '@cleat/protocol/kinds/log';
import { silentLogger } from '@cleat/protocol/log';
import { encodeLogEntry, type LogEntry } from '@cleat/protocol/log-entry';
import { LogEntryDecoder } from '@cleat/protocol/log-entry-decoder';
import { startForTest, type Tested } from '@cleat/sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { localDriver } from './driver.js';
import { localOptions } from './log-options.js';
import extension from './main.js';

const start = 1763780000123456700n;
let directory: string;
let logPath: string;
let fifo: string;
let tested: Tested;

const info = (config: Record<string, string> = {}): LogInfo => ({
  Config: config,
  ContainerID: '0123456789abcdef',
  ContainerName: '/web',
  ContainerLabels: { app: 'shop' },
  LogPath: logPath,
});

const entry = (line: string, n = 0): LogEntry => ({
  source: 'stdout',
  timeNano: start + BigInt(n),
  line: Buffer.from(line),
  partial: false,
});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-local-'));
  logPath = join(directory, 'container.log');
  fifo = join(directory, 'fifo');
});

afterEach(async () => {
  await tested.close();
  rmSync(directory, { recursive: true, force: true });
});

/** One run of a container, as an engine does it. */
async function run(entries: LogEntry[], config?: Record<string, string>): Promise<void> {
  const client = tested.client(logKind);
  makeFifo(fifo, 0o600);
  const end = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  await client.StartLogging({ File: fifo, Info: info(config) });
  for (const bytes of entries.map(encodeLogEntry)) {
    for (let done = 0; done < bytes.length; ) {
      try {
        done += writeSync(end, bytes, done);
      } catch {
        // The pipe is full.
        await pause(1);
      }
    }
  }
  closeSync(end);
  rmSync(fifo);
  await client.StopLogging({ File: fifo });
}

async function read(config: { Tail?: number; Since?: string } = {}): Promise<string[]> {
  const driver = localDriver(silentLogger);
  const stream = await driver.handlers.ReadLogs?.(
    { Info: info(), Config: config },
    { signal: new AbortController().signal },
  );
  const decoder = new LogEntryDecoder();
  const lines: string[] = [];
  for await (const chunk of stream ?? []) for (const { line } of decoder.push(chunk)) lines.push(String(line));
  await driver.close();
  return lines;
}

describe.each(['in-process', 'socket'] as const)('%s', (carrier) => {
  beforeEach(async () => {
    tested = await startForTest(extension, { name: 'local', carrier });
  });

  test('records as Docker writes them, byte for byte', async () => {
    await run([entry('hi')], { labels: 'app' });
    // source, time_nano, line, attrs: what moby's encoder makes of the same message, between two lengths.
    const message = encodeLogEntry({ ...entry('hi'), attrs: [{ key: 'app', value: 'shop' }] });
    expect(readFileSync(logPath).toString('hex')).toBe(
      Buffer.concat([message, message.subarray(0, 4)]).toString('hex'),
    );
    expect(existsSync(`${logPath}.open`)).toBe(false);
  });

  test('many lines, then another run: all of them, in order', async () => {
    const lines = Array.from({ length: 20_000 }, (_, n) => entry(`line ${n}`, n));
    await run(lines.slice(0, 9_999));
    await run(lines.slice(9_999));
    expect(await read()).toEqual(lines.map(({ line }) => `${line}\n`));
    expect(await read({ Tail: 2 })).toEqual(['line 19998\n', 'line 19999\n']);
    expect(await read({ Since: '2025-11-22T02:53:20.123476698Z' })).toEqual(['line 19998\n', 'line 19999\n']);
  });

  test('files are rotated, counted, and compressed by default', async () => {
    const lines = Array.from({ length: 200 }, (_, n) => entry(`line ${n}`, n));
    for (const some of [0, 50, 100, 150]) {
      await run(lines.slice(some, some + 50), { 'max-size': '1k', 'max-file': '3' });
    }
    expect(readdirSync(directory).sort()).toEqual(['container.log', 'container.log.1.gz', 'container.log.2.gz']);
    const kept = await read();
    expect(kept).toEqual(lines.slice(-kept.length).map(({ line }) => `${line}\n`));
    expect(kept.length).toBeGreaterThan(50);
    // The record that reaches the limit is the last one.
    const oldest = gunzipSync(readFileSync(`${logPath}.2.gz`));
    expect(oldest.length).toBeGreaterThanOrEqual(1000);
    expect(oldest.length).toBeLessThan(1100);
  });

  test('after a crash the half record goes, and what comes again is not written again', async () => {
    const lines = [0, 1, 2, 2, 2, 3, 4].map((time, n) => entry(`line ${n}`, time));
    await run(lines.slice(0, 4));
    writeFileSync(`${logPath}.open`, '');
    appendFileSync(logPath, encodeLogEntry(entry('half')).subarray(0, 15));
    await run(lines);
    expect(await read()).toEqual(lines.map(({ line }) => `${line}\n`));
  });

  test('options are refused in Docker’s words', async () => {
    const validate = (Config: Record<string, string>) => tested.client(logKind).ValidateOptions({ Config });
    await expect(validate({ colour: 'red' })).rejects.toThrow("unknown log opt 'colour' for log driver local");
    await expect(validate({ 'max-size': 'big' })).rejects.toThrow(
      "invalid value for max-size: big: invalid size: 'big'",
    );
    await expect(validate({ compress: 'perhaps' })).rejects.toThrow('invalid boolean value for compress');
    await expect(validate({ 'max-file': '1' })).rejects.toThrow(
      'compression cannot be enabled when max file count is 1',
    );
    await validate({ 'max-size': '10m', 'max-file': '3', compress: 'false', tag: '{{.Name}}' });
    expect(localOptions(info())).toMatchObject({ maxBytes: 20_971_520, maxFiles: 5, compress: true });
  });
});
