import { expect, test } from 'vitest';
import { Renderer } from './render.js';

/** Streams and texts of Docker's frames. */
function frames(bytes: Buffer): [stream: number, text: string][] {
  const found: [number, string][] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at + 4);
    found.push([bytes[at] ?? 0, bytes.toString('utf8', at + 8, at + 8 + length)]);
    at += 8 + length;
  }
  return found;
}

test('each line is a frame of its own, and a long one is a frame for each 16 KiB', () => {
  const renderer = new Renderer({ stdout: true, stderr: true, multiplexed: true, timestamps: false });
  const time = '2026-01-02T03:04:05.000000006+00:00';
  const long = 'x'.repeat(20_000);
  const spool = Buffer.from(
    `${time} stdout F one\n${time} stdout F two\n${time} stderr F three\n${time} stdout F ${long}\n`,
  );
  expect(frames(renderer.feed(spool, 0, spool.length))).toEqual([
    [1, 'one\n'],
    [1, 'two\n'],
    [2, 'three\n'],
    [1, long.slice(0, 16_384)],
    [1, `${long.slice(16_384)}\n`],
  ]);
});
