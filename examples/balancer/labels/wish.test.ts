import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { labelNames, wishOf } from './wish.js';

const labelled = (labels: Record<string, string>) =>
  Object.fromEntries(Object.entries(labels).map(([name, value]) => [`interlock.${name}`, value]));

describe('labels', () => {
  test.each([
    [
      { hostname: 'test', domain: 'local' },
      { hosts: ['test.local'], path: '', tls: { mode: 'none' } },
    ],
    [{ hostname: 'test' }, { hosts: ['test.local'] }],
    [{ domain: 'example.com' }, { hosts: ['example.com'] }],
    [{ hostname: 'example.com', domain: 'example.com' }, { hosts: ['example.com'] }],
    [{ hostname: '', domain: 'Example.COM' }, { hosts: ['example.com'] }],
    [{ domain: '*.example.com' }, { hosts: ['*.example.com'] }],
    [
      { hostname: 'a', 'alias_domain.1': 'b.c', 'alias_domain.0': 'd.e', alias_domain: 'f.g' },
      { hosts: ['a.local', 'f.g', 'd.e', 'b.c'] },
    ],
    [{ context_root: '/shop/' }, { hosts: [], path: '/shop', rewrite: false }],
    [
      { context_root: '/shop', context_root_rewrite: 'true' },
      { hosts: [], path: '/shop', rewrite: true },
    ],
    [
      { hostname: 'a', context_root_rewrite: 'true' },
      { path: '', rewrite: false },
    ],
    [
      { hostname: 'a', port: '8080', network: 'my_net' },
      { port: 8080, network: 'my_net' },
    ],
    [{ hostname: 'a', ssl: '' }, { tls: { mode: 'terminated', only: false } }],
    [{ hostname: 'a', ssl: 'false' }, { tls: { mode: 'none' } }],
    [{ hostname: 'a', ssl_only: 'true' }, { tls: { mode: 'terminated', only: true } }],
    [
      { hostname: 'a', ssl_cert: 'a.crt', ssl_cert_key: 'a.key' },
      { tls: { mode: 'terminated', certificate: 'a.crt', key: 'a.key' } },
    ],
    [{ hostname: 'a', ssl_passthrough: 'true' }, { tls: { mode: 'passed' } }],
    [{ hostname: 'a', ssl_backend: 'true' }, { toBackend: { tls: true, verify: false } }],
    [
      { hostname: 'a', ssl_backend: '1', ssl_backend_tls_verify: 'required' },
      { toBackend: { tls: true, verify: true } },
    ],
    [{ hostname: 'a', 'websocket_endpoint.0': 'ws://example.com:9000/chat' }, { websockets: ['/chat'] }],
    [{ hostname: 'a', websocket_endpoint: 'ws://example.com:9000' }, { websockets: [''] }],
    [{ hostname: 'a', health_check: '/ping' }, { check: { path: '/ping', intervalMs: 5_000 } }],
    [
      { hostname: 'a', health_check: 'httpchk GET /ping', health_check_interval: '250' },
      { check: { path: '/ping', intervalMs: 250 } },
    ],
    [
      { hostname: 'a', health_check: 'httpchk', health_check_interval: '0' },
      { check: { path: '/', intervalMs: 5_000 } },
    ],
    [
      { hostname: 'a', balance_algorithm: 'leastconn', ip_hash: '', 'backend_option.0': 'forceclose' },
      { spread: { algorithm: 'leastconn', ipHash: true, options: ['forceclose'] } },
    ],
  ])('%o', (labels, wish) => {
    expect(wishOf(labelled(labels))).toMatchObject({ wish, faults: [], notices: [] });
  });

  test('our own prefix wins', () => {
    const { wish } = wishOf({ 'interlock.hostname': 'old', 'com.cleat.balancer.hostname': 'new' });
    expect(wish?.hosts).toEqual(['new.local']);
  });

  test.each([
    [{}],
    [{ 'interlock.port': '80' }],
    [{ app: 'web' }],
    [{ 'interlock.hostname': 'a', 'interlock.ext.name': 'nginx' }],
    [{ 'interlock.hostname': 'a', 'interlock.app': '' }],
  ])('%o asks for nothing', (labels) => {
    expect(wishOf(labels)).toEqual({ wish: undefined, faults: [], notices: [] });
  });

  test('a label that nobody knows is told', () => {
    const { wish, notices } = wishOf(labelled({ hostname: 'a', hostnme: 'b' }));
    expect(wish).toBeDefined();
    expect(notices).toEqual(['label interlock.hostnme is none that the balancer knows']);
  });
});

describe('the table of the README', () => {
  const rows = [
    ...readFileSync(new URL('../README.md', import.meta.url), 'utf8').matchAll(/^\| (`.*) \| .* \| `(.*)` \|$/gm),
  ];

  test('has every label', () => {
    const named = rows.flatMap(([, names = '']) => [...names.matchAll(/`([\w]+)(?:\.N)?`/g)].map(([, name]) => name));
    expect(named.toSorted()).toEqual(labelNames.toSorted());
  });

  test.each(rows.map(([, , example = '']) => example.split('=') as [string, string]))('%s=%s', (label, value) => {
    const more: Record<string, string> = /host|domain$/.test(label) ? {} : { 'interlock.hostname': 'shop' };
    expect(wishOf({ ...more, [label]: value })).toMatchObject({ wish: expect.anything(), faults: [], notices: [] });
  });
});

/** Values by which a container tries to get more than requests. */
const injections = [
  'a; return 200 pwned',
  'a;}',
  'a}\nserver { listen 81; }',
  'a\n    bind *:81',
  'a\r\nX: y',
  '$host',
  '${host}',
  '%[env(PATH)]',
  'a"b',
  "a'b",
  'a\\b',
  'a b',
  'a#b',
  'a{b',
  '../../etc/passwd',
  '/etc/ssl/private/key.pem',
  'a\u0000b',
  'a\u2028b',
  'а.example.com',
  'x'.repeat(300),
];

test.each(labelNames.filter((name) => !['hostname', 'domain'].includes(name)))('%s lets nothing through', (name) => {
  for (const value of injections) {
    // A path may be one.
    if (['context_root', 'websocket_endpoint', 'health_check'].includes(name) && value.startsWith('/etc')) continue;
    const { wish, faults } = wishOf(labelled({ hostname: 'a', [name]: value }));
    expect({ value, wish }).toEqual({ value, wish: undefined });
    expect(faults[0]).toContain(`label interlock.${name} is '`);
    expect(faults.join()).not.toMatch(/[\n\r\u0000\u2028]/);
  }
});

test.each(['hostname', 'domain'])('%s lets nothing through', (name) => {
  for (const value of injections) {
    expect({ value, wish: wishOf(labelled({ [name]: value })).wish }).toEqual({ value, wish: undefined });
  }
});

test.each([
  [{ hostname: 'a', port: '0' }, 'it takes a port, 1 to 65535'],
  [{ hostname: 'a', port: '65536' }, 'it takes a port'],
  [{ hostname: 'a', ssl: 'maybe' }, 'it takes true or false'],
  [{ hostname: 'a', balance_algorithm: 'hdr(x)' }, 'it takes roundrobin, static-rr'],
  [{ hostname: 'a', backend_option: 'http_proxy' }, 'it takes abortonclose'],
  [{ hostname: 'a', context_root: '/a/../b' }, 'it takes a path'],
  [{ hostname: 'a', context_root: '//' }, 'it takes a path'],
  [{ hostname: 'a', context_root: '/api', websocket_endpoint: '/chat' }, '/chat is not below context_root /api'],
  [{ hostname: 'a', ssl_passthrough: 'true', context_root: '/x' }, 'leave context_root out'],
  [{ hostname: 'a', ssl_passthrough: 'true', ssl: 'true' }, 'does not go with ssl'],
  [{ context_root: '/x', ssl: 'true' }, 'TLS needs a hostname'],
  [{ hostname: '*', domain: 'example.com' }, 'it takes a host name'],
  [
    { hostname: 'a', ...Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`alias_domain.${n}`, `h${n}.x`])) },
    '32 is the most',
  ],
])('%o is refused', (labels, fault) => {
  const { wish, faults } = wishOf(labelled(labels as Record<string, string>));
  expect(wish).toBeUndefined();
  expect(faults.join()).toContain(fault);
});
