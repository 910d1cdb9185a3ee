import { expect, test } from 'vitest';
import { readClaim, readHost } from './shared.js';

const claim = { host: 'a', holder: 'h', container: 'web', mac: '02:42:0a:09:00:02' };
const publicKey = `${'A'.repeat(43)}=`;
const host = { name: 'a', address: '192.0.2.1', wireguard: { publicKey, port: 51_820 } };

test('values of other hosts are read as they were written', () => {
  expect(readClaim(JSON.stringify(claim))).toEqual(claim);
  expect(readClaim(JSON.stringify({ ...claim, names: ['web', 'shop'] }))).toMatchObject({ names: ['web', 'shop'] });
  expect(readHost(JSON.stringify(host))).toEqual(host);
  expect(readHost(JSON.stringify({ ...host, wireguard: undefined }))).toEqual({ name: 'a', address: '192.0.2.1' });
});

test.each([
  ...['', 'null', '[]', '7', '{"host":', '{}'],
  JSON.stringify({ ...claim, host: 1 }),
  JSON.stringify({ ...claim, names: ['web', 7] }),
  JSON.stringify({ ...claim, mac: '02:42:0a:09:00:02\nlink delete dev lo' }),
])('no claim: %s', (text) => {
  expect(readClaim(text)).toBeUndefined();
});

test.each([
  ...['', 'null', '{}'],
  JSON.stringify({ ...host, address: '192.0.2.1 dev lo' }),
  JSON.stringify({ ...host, wireguard: 'yes' }),
  JSON.stringify({ ...host, wireguard: { publicKey: `${publicKey}\n[Peer]`, port: 1 } }),
  JSON.stringify({ ...host, wireguard: { publicKey, port: 70_000 } }),
])('no host: %s', (text) => {
  expect(readHost(text)).toBeUndefined();
});
