import { expect, test } from 'vitest';
import { wishOf } from '../labels/wish.js';
import { addressesOf, type Container, isFarewell } from './container.js';

const container: Container = {
  id: 'a'.repeat(64),
  name: 'web',
  created: '',
  startedAt: '',
  labels: {},
  networks: new Map([
    ['back', '10.1.0.2'],
    ['front', '10.2.0.2'],
  ]),
  onHost: false,
  exposed: [80],
  published: [
    { port: 80, at: { ip: '0.0.0.0', port: 32_768 } },
    { port: 443, at: { ip: '192.0.2.1', port: 32_769 } },
  ],
  health: 'none',
  isPaused: false,
  stopSignal: 'SIGTERM',
  stopMs: 10_000,
};

/** As `ip:port`, or the complaint. */
function places(more: Partial<Container>, labels: Record<string, string> = {}, override?: string): string[] | string {
  const given = Object.entries({ hostname: 'web', ...labels }).map(([label, value]) => [`interlock.${label}`, value]);
  const { wish } = wishOf(Object.fromEntries(given));
  const found = wish && addressesOf({ ...container, ...more }, wish, override);
  return typeof found === 'string' ? found : (found ?? []).map(({ ip, port }) => `${ip}:${port}`);
}

test.each([
  [
    'all its networks, then where it is published',
    {},
    {},
    undefined,
    ['10.1.0.2:80', '10.2.0.2:80', '127.0.0.1:32768'],
  ],
  ['the network of its label', {}, { network: 'front' }, undefined, ['10.2.0.2:80']],
  ['the port of its label', {}, { port: '443' }, undefined, ['10.1.0.2:443', '10.2.0.2:443', '192.0.2.1:32769']],
  ['the host’s address first', {}, {}, '192.0.2.9', ['192.0.2.9:32768', '10.1.0.2:80', '10.2.0.2:80']],
  ['no port of several, unless one is HTTP’s', { exposed: [80, 443] }, {}, '', ['10.1.0.2:80']],
  [
    'the only published one',
    { exposed: [], published: [{ port: 9, at: { ip: '::', port: 5 } }] },
    {},
    '',
    ['10.1.0.2:9'],
  ],
  ['on the host', { onHost: true, networks: new Map(), published: [] }, {}, undefined, ['127.0.0.1:80']],
])('%s', (_what, more, labels, override, expected) => {
  const found = places(more, labels as Record<string, string>, override || undefined);
  expect(found.slice(0, expected.length)).toEqual(expected);
});

test.each([
  [{ exposed: [1, 2] }, {}, 'it exposes ports 1, 2: say which with the label interlock.port'],
  [{ exposed: [], published: [] }, {}, 'it exposes no port: say which with the label interlock.port'],
  [{}, { network: 'other' }, 'it is not in network other, which its label names'],
  [{ networks: new Map<string, string>(), published: [] }, {}, 'it is in no network, and publishes no port'],
])('%o with %o: %s', (more, labels, complaint) => {
  expect(places(more, labels as Record<string, string>)).toBe(complaint);
});

test.each([
  ['15', 'SIGTERM', true],
  ['9', 'SIGTERM', true],
  ['1', 'SIGTERM', false],
  ['10', 'SIGTERM', false],
  ['10', 'SIGUSR1', true],
  ['10', 'usr1', true],
  ['37', 'SIGRTMIN+3', true],
  ['28', '28', true],
  ['', 'SIGTERM', false],
])('signal %s is a farewell to one that stops by %s: %s', (signal, stopSignal, expected) => {
  expect(isFarewell({ ...container, stopSignal }, signal)).toBe(expected);
});
