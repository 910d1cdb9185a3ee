import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkReader } from './chunk-reader.js';

/** All that is handed on of a text that comes in these pieces, and how much of it was taken. */
function read(text: string, cuts: readonly number[] = []) {
  const reader = new ChunkReader();
  const positions = [...new Set(cuts.map((cut) => Math.floor(cut * text.length)))].sort((a, b) => a - b);
  let [out, data, taken] = ['', '', 0];
  for (const [i, to] of [...positions, text.length].entries()) {
    const piece = Buffer.from(text.slice(positions[i - 1] ?? 0, to), 'latin1');
    taken += reader.take(piece, {
      coded: (bytes) => (out += bytes.toString('latin1')),
      data: (bytes) => (data += bytes.toString('latin1')),
    });
  }
  return { out, data, taken, reader };
}

const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 });

/** A chunk as a client may write it, and as it is to be handed on. */
const chunk = fc
  .record({
    data: fc.string({ minLength: 1, maxLength: 40, unit: fc.constantFrom('a', '\r', '\n', '0', ';') }),
    size: fc.constantFrom('', '0', 'upper'),
    extension: fc.constantFrom('', ';a=b', ' ; a="b;c"', '\t'),
  })
  .map(({ data, size, extension }) => {
    const digits = data.length.toString(16);
    const written = size === 'upper' ? digits.toUpperCase() : size + digits;
    return { data, sent: `${written}${extension}\r\n${data}\r\n`, wanted: `${written}\r\n${data}\r\n` };
  });

it('hands chunks on as they came, without extensions and trailers, and finds their end, wherever the bytes are cut', () => {
  const behind = '\r\nGET / HTTP/1.1\r\n\r\n';
  const trailers = fc.constantFrom('', 'X-A: b\r\n', 'A: 1\r\nContent-Length: 5\r\n');
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 5 }), trailers, cuts, (chunks, trailer, where) => {
      const body = `${chunks.map(({ sent }) => sent).join('')}0\r\n${trailer}\r\n`;
      const result = read(body + behind, where);
      expect(result.reader.isComplete).toBe(true);
      expect(result.out).toBe(`${chunks.map(({ wanted }) => wanted).join('')}0\r\n\r\n`);
      expect(result.data).toBe(chunks.map(({ data }) => data).join(''));
      expect(result.taken).toBe(body.length);
    }),
  );
});

it('hands a piece on as the very bytes that came, where nothing in it is to be written anew', () => {
  const reader = new ChunkReader();
  const piece = Buffer.from('5\r\nhello\r\n6\r\n wo');
  const pieces: Buffer[] = [];
  reader.take(piece, { coded: (bytes) => void pieces.push(bytes) });
  expect(pieces).toHaveLength(1);
  expect(pieces[0]?.buffer).toBe(piece.buffer);
});

describe('a line that two parsers may read in two ways ends the body: nothing behind it is handed on', () => {
  const smuggled = 'GET /smuggled HTTP/1.1\r\n\r\n';
  it.each([
    ['no size', '\r\nhello\r\n0\r\n\r\n'],
    ['a sign', '+5\r\nhello\r\n0\r\n\r\n'],
    ['another base', '0x5\r\nhello\r\n0\r\n\r\n'],
    ['an underscore', '1_0\r\nhello\r\n0\r\n\r\n'],
    ['a space before', ' 5\r\nhello\r\n0\r\n\r\n'],
    ['a line feed alone behind the size', '5\nhello\r\n0\r\n\r\n'],
    ['a line feed alone behind the data', '5\r\nhello\n0\r\n\r\n'],
    ['a carriage return within the line', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
    ['longer data', '5\r\nhello!\r\n0\r\n\r\n'],
    ['shorter data', '6\r\nhello\r\n0\r\n\r\n'],
    ['a size of more digits than a number has', `1${'0'.repeat(12)}\r\nhello\r\n0\r\n\r\n`],
    ['a line without an end', `5;${'a'.repeat(5000)}\r\nhello\r\n0\r\n\r\n`],
    ['trailers without an end', `0\r\n${'A: b\r\n'.repeat(4000)}\r\n`],
  ])('%s', (_what, body) => {
    for (const where of [[], [0.1, 0.2, 0.3, 0.4, 0.5]]) {
      const { out, reader } = read(body + smuggled, where);
      expect(reader.isBroken).toBe(true);
      expect(out).not.toContain('smuggled');
      expect(out.endsWith('0\r\n\r\n')).toBe(false);
    }
  });
});
