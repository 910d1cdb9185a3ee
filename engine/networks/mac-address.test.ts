import { expect, test } from 'vitest';
import { isUnicast, readMac } from './mac-address.js';

test.each([
  ['02:42:ac:11:00:02', '02:42:ac:11:00:02'],
  ['02-42-AC-11-00-02', '02:42:ac:11:00:02'],
  ['0242.AC11.0002', '02:42:ac:11:00:02'],
  ['02:42-ac:11:00:02', undefined],
  ['02:42:ac:11:00', undefined],
  ['02:42:ac:11:00:02:03:04', undefined],
  ['0242:ac11:0002', undefined],
  ['02:42:ac:11:00:0g', undefined],
  ['', undefined],
])('%s is read as Go reads it', (text, mac) => {
  expect(readMac(text)).toBe(mac);
});

test('an interface has neither a group’s address nor none', () => {
  expect(['02:42:ac:11:00:02', '00:00:00:00:00:01', '04:00:00:00:00:00'].every(isUnicast)).toBe(true);
  expect(['01:00:5e:00:00:01', '33:33:00:00:00:01', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00'].some(isUnicast)).toBe(
    false,
  );
});
