import { expect, test } from 'vitest';
import { bool, bytes, count, int32, int64, list, map, message, nested, repeated, string } from './message.js';

const inner = message({ name: string(1), flag: bool(2) });
const all = message({
  text: string(1),
  number: int32(2),
  big: int64(3),
  size: count(4),
  one: nested(5, inner),
  many: list(6, inner),
  words: repeated(string(7)),
  pairs: map(8, string(2)),
  raw: bytes(9),
});

test('the bytes are those of the protocol', () => {
  // protobuf.dev/programming-guides/encoding: 150 in field 1 is 08 96 01, "testing" in field 2 is 12 07 74….
  const table = message({ a: int32(1), b: string(2) });
  expect(Buffer.from(table.encode({ a: 150, b: 'testing' })).toString('hex')).toBe('08960112077465737469' + '6e67');
  expect(table.decode(Buffer.from('089601120774657374696e67', 'hex'))).toEqual({ a: 150, b: 'testing' });
});

test('written values are read, and defaults are not written', () => {
  const value = {
    text: 'é',
    number: -7,
    big: 1_763_780_000_123_456_789n,
    size: 2 ** 40,
    one: { name: 'x', flag: true },
    many: [
      { name: 'a', flag: false },
      { name: '', flag: true },
    ],
    words: ['', 'b'],
    pairs: new Map([
      ['k', 'v'],
      ['', ''],
    ]),
    raw: Uint8Array.of(0, 255),
  };
  expect(all.decode(all.encode(value))).toEqual(value);
  expect(all.encode(all.empty())).toHaveLength(0);
});

test('unknown fields are passed over, in whatever wire type it comes', () => {
  const wide = message({ text: string(1), number: string(2), later: string(99) });
  expect(all.decode(wide.encode({ text: 't', number: 'no number', later: 'x' }))).toMatchObject({
    text: 't',
    number: 0,
  });
});

test('a message within another that comes in parts is one', () => {
  const parts = [all.encode({ one: { name: 'x' } }), all.encode({ one: { flag: true } })];
  expect(all.decode(Buffer.concat(parts)).one).toEqual({ name: 'x', flag: true });
});

test.each([
  ['cut', '0a05616263'],
  ['a length beyond all', '2aff7f0a0161'],
  ['a tag of nothing', '00'],
  ['a varint without an end', '10ffffffffffffffffffffff'],
  ['no UTF-8', '0a01ff'],
  ['groups in groups', '1b'.repeat(200_000)],
])('malformed: %s', (_name, hex) => {
  expect(() => all.decode(Buffer.from(hex, 'hex'))).toThrow();
});

test.each([
  ['messages', '3200'],
  ['strings', '3a00'],
])('a list of endless %s is refused', (_of, element) => {
  expect(all.decode(Buffer.from(element.repeat(1000), 'hex'))).toBeDefined();
  expect(() => all.decode(Buffer.from(element.repeat(100_001), 'hex'))).toThrow(/more than 100000 elements/);
});

test('a small value does not keep the buffer that it came in', () => {
  const padding = Buffer.from(all.encode({ text: 'x'.repeat(1_000_000) }));
  const { raw } = all.decode(Buffer.concat([padding, all.encode({ raw: Buffer.from('small') })]));
  expect(Buffer.from(raw).toString()).toBe('small');
  expect(raw.buffer.byteLength).toBe(5);
});
