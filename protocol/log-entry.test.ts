import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeLogEntry, type LogEntry } from './log-entry.js';
import { LogEntryDecoder } from './log-entry-decoder.js';

const anyEntry: fc.Arbitrary<LogEntry> = fc.record(
  {
    source: fc.constantFrom('stdout', 'stderr'),
    timeNano: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    line: fc.uint8Array({ maxLength: 300 }),
    partial: fc.boolean(),
    partialLogMetadata: fc.record({
      last: fc.boolean(),
      id: fc.string(),
      ordinal: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    }),
    attrs: fc.array(fc.record({ key: fc.string(), value: fc.string() }), { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: ['source', 'timeNano', 'line', 'partial'] },
);

const plain = (entry: LogEntry) => ({ ...entry, line: [...entry.line] });

test('an entry that was encoded is decoded, however the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(anyEntry), fc.integer({ min: 1, max: 50 }), (entries, size) => {
      const stream = Buffer.concat(entries.map(encodeLogEntry));
      const decoder = new LogEntryDecoder();
      const decoded: LogEntry[] = [];
      for (let at = 0; at < stream.length; at += size) decoded.push(...decoder.push(stream.subarray(at, at + size)));
      expect(decoded.map(plain)).toEqual(entries.map(plain));
      expect(decoder.skipped).toBe(0);
    }),
  );
});

test('the bytes are those of moby’s encoder', () => {
  const entry = { source: 'stdout', timeNano: 1n, line: Buffer.from('hi'), partial: true };
  expect(encodeLogEntry(entry).toString('hex')).toBe('00000010' + '0a067374646f7574' + '1001' + '1a026869' + '2001');
});

test('a reader that comes in the middle finds the next entry', () => {
  fc.assert(
    fc.property(fc.array(anyEntry, { minLength: 2, maxLength: 5 }), fc.integer({ min: 1, max: 40 }), (entries, cut) => {
      const lines = entries.map((entry, n) => ({ ...entry, line: Buffer.from(`line ${n} ${'.'.repeat(40)}`) }));
      const [first, ...rest] = lines.map(encodeLogEntry);
      const torn = first?.subarray(Math.min(cut, first.length - 1)) ?? Buffer.alloc(0);
      const decoder = new LogEntryDecoder();
      const decoded = decoder.push(Buffer.concat([torn, ...rest]));
      expect(decoded.slice(-rest.length).map(plain)).toEqual(lines.slice(1).map(plain));
      expect(decoder.skipped).toBeGreaterThan(0);
    }),
  );
});

test('a length beyond the limit is not waited for', () => {
  const decoder = new LogEntryDecoder({ maxBytes: 100 });
  const good = encodeLogEntry({ source: 'stderr', timeNano: 5n, line: Buffer.from('ok'), partial: false });
  expect(decoder.push(Buffer.from([0x7f, 0xff, 0xff, 0xff]))).toEqual([]);
  expect(decoder.push(good).map(({ source }) => source)).toEqual(['stderr']);
});
