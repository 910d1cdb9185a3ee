import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesOf, byteText, shownText } from './byte-text.js';
import { stringify } from './json.js';

test('any bytes come back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      expect(bytesOf(byteText(Buffer.from(bytes)))).toEqual(Buffer.from(bytes));
    }),
  );
});

test('UTF-8 is itself; other bytes are one mark each, as Go shows them', () => {
  expect(byteText(Buffer.from('\ufeffcafé 🦀 \ufffd'))).toBe('\ufeffcafé 🦀 \ufffd');
  expect(byteText(Buffer.from('caf\xe9', 'latin1'))).toBe('caf\udce9');
  // Cut short, a surrogate, too long, beyond the last plane.
  for (const [bytes, marks] of [
    ['e282', 2],
    ['eda080', 3],
    ['c080', 2],
    ['f4908080', 4],
  ] as const) {
    expect(shownText(byteText(Buffer.from(bytes, 'hex')))).toBe('\ufffd'.repeat(marks));
  }
});

test('JSON shows it as Go does', () => {
  const text = byteText(Buffer.from('a\\caf\xe9\xe9', 'latin1'));
  expect(JSON.parse(stringify({ text, whole: 'é🦀', words: '\\udce9' }))).toEqual({
    text: 'a\\caf\ufffd\ufffd',
    whole: 'é🦀',
    words: '\\udce9',
  });
});
