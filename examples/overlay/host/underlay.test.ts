import { expect, test } from 'vitest';
import { mtuOf, tunnelMtu, underlayMtu } from './underlay.js';

test('packets grow by what tunnels put before them', () => {
  expect(mtuOf(1500, '192.0.2.1', false)).toBe(1450);
  expect(mtuOf(1500, '2001:db8::1', false)).toBe(1430);
  expect(tunnelMtu(1500, '192.0.2.1')).toBe(1440);
  expect(mtuOf(1500, '192.0.2.1', true)).toBe(1370);
  expect(mtuOf(9000, '2001:db8::1', true)).toBe(8850);
});

test('the address must be this host’s', async () => {
  expect(await underlayMtu('127.0.0.1')).toBeGreaterThan(1000);
  await expect(underlayMtu('192.0.2.77')).rejects.toThrow('this host has no address 192.0.2.77');
});
