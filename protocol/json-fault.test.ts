import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findJsonFault, lineAndColumn } from './json-fault.js';

// Right values come from Go's encoding/json.
test.each([
  ['{"a":1,}', 7, "invalid character '}' looking for beginning of object key string"],
  ['{a:1}', 1, "invalid character 'a' looking for beginning of object key string"],
  ['{"a" 1}', 5, "invalid character '1' after object key"],
  ['{"a":1 "b"', 7, `invalid character '"' after object key:value pair`],
  ['[1 2]', 3, "invalid character '2' after array element"],
  ['[1,]', 3, "invalid character ']' looking for beginning of value"],
  ['{} x', 3, "invalid character 'x' after top-level value"],
  ["'a'", 0, "invalid character '\\'' looking for beginning of value"],
  ['{"a":tru', 8, 'unexpected end of JSON input'],
  ['{"a":trux}', 8, "invalid character 'x' in literal true (expecting 'e')"],
  ['"a\nb"', 2, "invalid character '\\n' in string literal"],
  ['"\\x"', 2, "invalid character 'x' in string escape code"],
  ['"\\u00g0"', 5, "invalid character 'g' in \\u hexadecimal character escape"],
  ['-x', 1, "invalid character 'x' in numeric literal"],
  ['01', 1, "invalid character '1' after top-level value"],
  ['1.', 2, 'unexpected end of JSON input'],
  ['1.e', 2, "invalid character 'e' after decimal point in numeric literal"],
  ['1e+', 3, 'unexpected end of JSON input'],
  ['', 0, 'unexpected end of JSON input'],
  ['\u0000', 0, "invalid character '\\x00' looking for beginning of value"],
])('%j', (text, offset, message) => {
  expect(findJsonFault(text)).toEqual({ offset, message });
});

test('text that JSON.parse takes has no fault, and text that it refuses has one', () => {
  fc.assert(fc.property(fc.json(), (text) => findJsonFault(text) === undefined));
  const broken = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '}', 'x', '\\', '0', '.'))
    .map(([text, at, piece]) => {
      const cut = at % (text.length + 1);
      return text.slice(0, cut) + piece + text.slice(cut + 1);
    });
  fc.assert(
    fc.property(broken, (text) => {
      let valid = true;
      try {
        JSON.parse(text);
      } catch {
        valid = false;
      }
      return (findJsonFault(text) === undefined) === valid;
    }),
    { numRuns: 2_000 },
  );
});

test('depth costs no stack, and a place is counted from 1', () => {
  expect(findJsonFault('['.repeat(100_000))?.message).toBe('unexpected end of JSON input');
  expect(lineAndColumn('{\n  "ä": x\n}', 9)).toEqual({ line: 2, column: 8 });
  expect(lineAndColumn('', 0)).toEqual({ line: 1, column: 1 });
});
