import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Query } from './query.js';

test('values are bytes, written again as they came', () => {
  const query = new Query('path=%2fcaf%E9&x=a+b%2B&path=2&raw=caf\xc3\xa9&empty&=none');
  expect(query.text('path')).toBe('/caf\udce9');
  expect(query.all('path')).toEqual(['/caf\udce9', '2']);
  expect([query.text('x'), query.text('raw'), query.text('empty'), query.has('empty')]).toEqual([
    'a b+',
    'café',
    '',
    true,
  ]);
  expect(query.toString()).toBe('path=%2Fcaf%E9&x=a+b%2B&path=2&raw=caf%C3%A9&empty=&=none');
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const sent = Buffer.from(bytes).toString('hex').replace(/../g, '%$&');
      const again = new Query(`p=${sent}`).toString();
      expect(new Query(again).text('p')).toBe(new Query(`p=${sent}`).text('p'));
    }),
  );
});

test('texts that Go refuses', () => {
  expect(() => new Query('path=/a%zz')).toThrow('invalid URL escape "%zz"');
  expect(() => new Query('a=1&b=%')).toThrow('invalid URL escape "%"');
  expect(() => new Query('a=1;b=2')).toThrow('invalid semicolon separator in query');
});
