import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LogsQuery } from './service.js';
import { SpoolFile } from './spool-file.js';

let directory: string;
let path: string;
let spool: SpoolFile;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-spool-'));
  path = join(directory, 'spool');
  writeFileSync(path, '');
  spool = new SpoolFile(path);
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

interface Line {
  stream: 1 | 2;
  text: string;
  complete: boolean;
}

const stamp = (second: number) => `2025-11-22T02:53:${String(second).padStart(2, '0')}.000000001+00:00`;
const format = ({ stream, text, complete }: Line, second = 0) =>
  `${stamp(second)} ${stream === 1 ? 'stdout' : 'stderr'} ${complete ? 'F' : 'P'} ${text}\n`;
const print = (text: string, second = 0) => appendFileSync(path, format({ stream: 1, text, complete: true }, second));

const logs = async (query: Partial<LogsQuery> = {}): Promise<string> => (await logBytes(query)).toString();

async function logBytes(query: Partial<LogsQuery>): Promise<Buffer> {
  const all = { stdout: true, stderr: true, follow: false, multiplexed: false, timestamps: false };
  const chunks: Uint8Array[] = [];
  for await (const chunk of spool.logs({ ...all, signal: new AbortController().signal, ...query })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The container's output on each stream, from attach's view. */
async function streamed(from = spool.beginning()): Promise<Record<1 | 2, string>> {
  const result = { 1: '', 2: '' };
  const stream = spool.stream({ from, signal: new AbortController().signal });
  spool.ended();
  for await (const { stream: which, data } of stream) result[which] += data.toString();
  return result;
}

/** Frames of multiplexed logs. */
function frames(bytes: Buffer): { stream: number; text: string }[] {
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at + 4);
    found.push({ stream: bytes[at] ?? 0, text: bytes.toString('utf8', at + 8, at + 8 + length) });
    at += 8 + length;
  }
  return found;
}

const anyLine = fc.record({
  stream: fc.constantFrom<1 | 2>(1, 2),
  complete: fc.boolean(),
  text: fc.oneof(
    fc.string({ unit: 'grapheme-ascii' }).map((text) => text.replaceAll('\n', '')),
    fc.integer({ min: 0, max: 40_000 }).map((length) => 'x'.repeat(length)),
  ),
});

test('fragments are joined per stream, byte for byte, whichever way they are read', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyLine, { maxLength: 30 }), async (lines) => {
      writeFileSync(path, lines.map((line) => format(line)).join(''));
      const written = { 1: '', 2: '' };
      for (const { stream, text, complete } of lines) written[stream] += complete ? `${text}\n` : text;
      const streams = await streamed();
      expect(streams[1] === written[1] && streams[2] === written[2]).toBe(true);
      expect((await logs({ stderr: false })) === written[1]).toBe(true);
      for (const [follow, longest] of [
        [true, 16_384],
        [false, 32_768],
      ] as const) {
        const read = { 1: '', 2: '' };
        for (const { stream, text } of frames(await logBytes({ multiplexed: true, follow }))) {
          expect(text.length).toBeLessThanOrEqual(longest);
          read[stream as 1 | 2] += text;
        }
        expect(read[1] === written[1] && read[2] === written[2]).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
});

test('tail gives what the last lines of everything are', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyLine, { maxLength: 20 }), fc.integer({ min: 0, max: 25 }), async (lines, count) => {
      const whole = lines.map((line) => ({ ...line, text: line.text.slice(0, 100), complete: line.complete }));
      writeFileSync(path, whole.map((line) => format(line)).join(''));
      const all = frames(await logBytes({ multiplexed: true, follow: true }));
      const tail = frames(await logBytes({ multiplexed: true, follow: true, tail: count }));
      expect(tail).toEqual(count === 0 ? [] : all.slice(-count));
    }),
    { numRuns: 200 },
  );
});

test('tail gives no more lines than it was asked for, however fast they come', async () => {
  for (let line = 1; line <= 5; line++) print(`${line}`);
  const { files } = spool;
  const endOf = files.end.bind(files);
  // The container is a process of its own: it writes between any two looks of ours, and half a line, too.
  const writing = (text: string) => {
    files.end = () => {
      const end = endOf();
      appendFileSync(path, text);
      return end;
    };
  };
  writing(format({ stream: 1, text: 'later', complete: true }));
  expect(await logs({ tail: 2 })).toBe('4\n5\n');
  expect(await logs({ tail: 0 })).toBe('');
  files.end = endOf;
  appendFileSync(path, `${stamp(0)} stdout F la`);
  writing('st\n');
  expect(await logs({ tail: 1 })).toBe('later\n');
  files.end = endOf;
  expect(await logs({ tail: 1 })).toContain('last\n');
});

test('tail of a long log, and over a rotation', async () => {
  for (let n = 0; n < 5000; n++) print(`line ${n} ${'.'.repeat(n % 50)}`);
  renameSync(path, `${path}.0`);
  for (let n = 5000; n < 5003; n++) print(`line ${n} ${'.'.repeat(n % 50)}`);
  expect((await logs({ tail: 4 })).split('\n').map((line) => line.split(' ')[1])).toEqual([
    '4999',
    '5000',
    '5001',
    '5002',
    undefined,
  ]);
  expect((await logs()).split('\n')).toHaveLength(5004);
  expect((await logs({ tail: 6000 })).split('\n')).toHaveLength(5004);
  appendFileSync(path, format({ stream: 1, text: 'unfinished', complete: false }));
  expect(await logs({ tail: 1 })).toBe('unfinished');
});

test('an unfinished line is the last one, and comes whole to who follows', async () => {
  const add = (stream: 1 | 2, text: string, complete = false) =>
    appendFileSync(path, format({ stream, text, complete }));
  print('first');
  add(1, 'prompt> ');
  add(2, 'error', true);
  expect(await logs()).toBe('first\nerror\nprompt> ');
  expect(await logs({ tail: 1 })).toBe('prompt> ');
  expect(await logs({ tail: 2 })).toBe('error\nprompt> ');
  spool.began();
  const following = [logs({ follow: true, tail: 1 }), logs({ follow: true, tail: 0 })];
  await new Promise(setImmediate);
  add(1, 'answer', true);
  spool.ended();
  expect(await Promise.all(following)).toEqual(['error\nprompt> answer\n', 'prompt> answer\n']);
  // An entry's length goes out at once, and nothing of it is left to be the last line.
  const entry = 'x'.repeat(16_384);
  add(1, entry);
  add(2, 'last', true);
  expect((await logs({ tail: 1 })) === `${entry}last\n`).toBe(true);
});

test('since, until, time stamps, details', async () => {
  for (let second = 1; second < 6; second++) print(String(second), second);
  const start = 1763780000n * 1_000_000_000n;
  expect(await logs({ since: start + 2_000_000_001n - 0n, until: start + 4_000_000_000n })).toBe('');
  const base = BigInt(Date.parse('2025-11-22T02:53:00Z')) * 1_000_000n;
  expect(await logs({ since: base + 2_000_000_001n, until: base + 4_000_000_000n })).toBe('2\n3\n');
  expect(await logs({ tail: 1, timestamps: true, details: 'k=v ' })).toBe('2025-11-22T02:53:05.000000001Z k=v 5\n');
  appendFileSync(path, '2025-11-22T03:53:06.000000001+01:00 stdout F zone\n');
  expect(await logs({ tail: 1, timestamps: true })).toBe('2025-11-22T02:53:06.000000001Z zone\n');
  expect(await logs({ since: base + 6_000_000_000n })).toBe('zone\n');
});

test('a damaged line hurts only itself', async () => {
  appendFileSync(path, `2025-11-22T02:5\n\n${'x'.repeat(100)}\n`);
  print('whole');
  appendFileSync(path, '2025-11-22T02:53:06.000000001+00:00 stdout F not yet writ');
  expect(await logs()).toBe('whole\n');
  expect(await logs({ tail: 1 })).toBe('whole\n');
});

test('a follower gets what comes, over rotations, until the end', async () => {
  spool.began();
  print('0');
  const following = logs({ follow: true });
  const attached = streamedLive();
  for (let n = 1; n < 100; n++) {
    if (n % 30 === 0) renameSync(path, `${path}.${n / 30 - 1}`);
    print(String(n));
    spool.wake();
    if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  appendFileSync(path, format({ stream: 1, text: 'prompt> ', complete: false }));
  spool.ended();
  const expected = `${Array.from({ length: 100 }, (_, n) => `${n}\n`).join('')}prompt> `;
  expect(await following).toBe(expected);
  expect(await attached).toBe(expected);

  async function streamedLive(): Promise<string> {
    let text = '';
    for await (const chunk of spool.stream({ from: spool.beginning(), signal: new AbortController().signal })) {
      text += chunk.data.toString();
    }
    return text;
  }
});

test('an attach session goes on from where it was, and waits for a container that has not begun', async () => {
  print('old');
  const from = spool.files.end();
  const read = streamed(from);
  expect(await read).toEqual({ 1: '', 2: '' });
  const abort = new AbortController();
  const chunks = spool.stream({ from, signal: abort.signal })[Symbol.asyncIterator]();
  const first = chunks.next();
  spool.began();
  print('new');
  expect((await first).value.data.toString()).toBe('new\n');
  const second = chunks.next();
  abort.abort();
  expect((await second).done).toBe(true);
});

test('logs of a container that does not run end at once, also when asked to follow', async () => {
  print('done');
  expect(await logs({ follow: true })).toBe('done\n');
});
