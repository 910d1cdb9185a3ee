import { expect, test } from 'vitest';
import { blockOf, contains, formatAddress, formatBlock, lastOf, overlaps, parseAddress, parseCidr } from './cidr.js';

test.each([
  ['192.168.1.20', '192.168.1.20'],
  ['::', '::'],
  ['::1', '::1'],
  ['fd00:0:0:1:0:0:0:2', 'fd00:0:0:1::2'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['fe80::', 'fe80::'],
  ['::ffff:10.1.2.3', '::ffff:a01:203'],
  ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
])('%s reads and prints as %s', (text, printed) => {
  expect(formatAddress(parseAddress(text))).toBe(printed);
});

test('blocks', () => {
  const { block, address } = parseCidr('10.91.7.3/16');
  expect(formatBlock(block)).toBe('10.91.0.0/16');
  expect(formatAddress(address)).toBe('10.91.7.3');
  expect(formatAddress(lastOf(block))).toBe('10.91.255.255');
  expect(contains(block, parseAddress('10.92.0.0'))).toBe(false);
  expect(overlaps(block, parseCidr('10.0.0.0/8').block)).toBe(true);
  expect(overlaps(block, parseCidr('10.92.0.0/16').block)).toBe(false);
  expect(formatBlock(blockOf(parseAddress('fd00::5'), 64))).toBe('fd00::/64');
});

test.each(['10.0.0.0', '10.0.0.0/33', '10.0.0/8', 'x/8', '10.0.0.0/-1', '::/129'])('%s is refused', (text) => {
  expect(() => parseCidr(text)).toThrow(`invalid CIDR address: ${text}`);
});
