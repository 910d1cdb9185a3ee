import { expect, test } from 'vitest';
import { wishOf } from '../labels/wish.js';
import { type Candidate, plan } from './plan.js';

/** `name` is also its age: `a` was made first. */
function candidate(name: string, labels: Record<string, string>, more: Partial<Candidate> = {}): Candidate {
  const given = Object.entries(labels).map(([label, value]) => [`interlock.${label}`, value]);
  const { wish, faults } = wishOf(Object.fromEntries(given));
  if (!wish) throw new Error(faults.join());
  const address = { ip: `10.0.0.${name.charCodeAt(0)}`, port: 80 };
  return { id: name.repeat(64).slice(0, 64), name, created: name, wish, address, leaving: false, ...more };
}

const certificate = (host: string) => ({ path: `/certificates/${host}` });
const planned = (...candidates: Candidate[]) => plan(candidates, certificate, () => undefined);

/** `host/path: names`, as it is served. */
function served(...candidates: Candidate[]): string[] {
  const { model } = planned(...candidates);
  const names = (servers: readonly { id: string }[]) => servers.map(({ id }) => id[0]).join(' ');
  return [
    ...model.sites.flatMap(({ host, tls, routes }) =>
      routes.map(({ path, pool }) => `${tls ? 'tls ' : ''}${host}${path}: ${names(pool.servers)}`),
    ),
    ...model.passed.map(({ host, pool }) => `passed ${host}: ${names(pool.servers)}`),
  ];
}

test('containers of one host and path share it; names and paths are in the order in which they are matched', () => {
  expect(
    served(
      candidate('a', { hostname: 'web', 'alias_domain.0': 'www.x' }),
      candidate('b', { hostname: 'web' }),
      candidate('c', { hostname: 'web', context_root: '/api' }),
      candidate('d', { hostname: 'web', context_root: '/api/v1' }),
      candidate('e', { domain: '*.x' }),
      candidate('f', { domain: '*.long.x' }),
      candidate('g', { context_root: '/any' }),
      candidate('h', { hostname: 'pass', ssl_passthrough: 'true' }),
      candidate('i', { hostname: 'safe', ssl: 'true' }),
    ),
  ).toEqual([
    'tls safe.local: i',
    'web.local/api/v1: d',
    'web.local/api: c',
    'web.local: a b',
    'www.x: a',
    '*.long.x: f',
    '*.x: e',
    '/any: g',
    'passed pass.local: h',
  ]);
});

test('the order in which they are told makes no difference', () => {
  const all = [
    candidate('a', { hostname: 'web' }),
    candidate('b', { hostname: 'web', ssl: '' }),
    candidate('c', { domain: 'x' }),
  ];
  expect(planned(...all.toReversed())).toEqual(planned(...all));
});

test('a container that leaves serves only where nobody else does', () => {
  const labels = { hostname: 'web' };
  expect(served(candidate('a', labels, { leaving: true }), candidate('b', labels))).toEqual(['web.local: b']);
  expect(served(candidate('a', labels, { leaving: true }))).toEqual(['web.local: a']);
  expect(served(candidate('a', labels, { address: undefined }))).toEqual(['web.local: ']);
});

test.each([
  [{ ssl: 'true' }, {}, "web.local: its ssl is 'none', but 'terminated' with container a"],
  [{}, { ssl: 'true' }, "web.local: its ssl is 'terminated', but 'none' with container a"],
  [{ ssl: 'true' }, { ssl_passthrough: 'true' }, "its ssl is 'passed'"],
  [{ ssl_only: 'true' }, { ssl: 'true' }, "its ssl_only is 'false', but 'true'"],
  [{ ssl_cert: 'a.pem' }, { ssl_cert: 'b.pem' }, "its ssl_cert is 'b.pem', but 'a.pem'"],
  [{ ssl_backend: 'true' }, {}, "its ssl_backend is 'false'"],
  [{}, { balance_algorithm: 'leastconn' }, "its balance_algorithm is 'leastconn'"],
  [{ context_root: '/x', context_root_rewrite: '' }, { context_root: '/x' }, 'web.local/x: its context_root_rewrite'],
  [{ health_check: '/a' }, { health_check: '/b' }, "its health_check is '/b'"],
])('%o and %o do not go together, and the first one is served', (first, second, text) => {
  const { model, problems } = planned(
    candidate('a', { hostname: 'web', ...(first as Record<string, string>) }),
    candidate('b', { hostname: 'web', ...(second as Record<string, string>), alias_domain: 'own.x' }),
    candidate('c', { hostname: 'other' }),
  );
  expect(problems).toEqual([expect.objectContaining({ name: 'b', text: expect.stringContaining(text) })]);
  expect(problems[0]?.text).toContain('which was made before it and is served');
  const ids = JSON.stringify(model.sites.filter(({ host }) => host.endsWith('.local')));
  expect([ids.includes('aaaa'), ids.includes('bbbb'), ids.includes('cccc')]).toEqual([
    !JSON.stringify(first).includes('passed'),
    false,
    true,
  ]);
  // Its other name is served.
  expect(JSON.stringify(model)).toContain('own.x');
});

test('a certificate that is wrong costs only its container, and a wish that a proxy cannot serve, too', () => {
  const all = [
    candidate('a', { hostname: 'web', ssl_cert: 'bad.pem' }),
    candidate('b', { hostname: 'web', ssl_cert: 'good.pem' }),
    candidate('c', { hostname: 'odd', balance_algorithm: 'first' }),
  ];
  const { model, problems } = plan(
    all,
    (host, { tls }) => (tls.certificate === 'bad.pem' ? { fault: `no ${host}` } : { path: '/good' }),
    ({ spread }) => (spread.algorithm === 'first' ? 'cannot' : undefined),
  );
  expect(problems.map(({ name, text }) => `${name}: ${text}`)).toEqual(['a: no web.local', 'c: cannot']);
  expect(model.sites.map(({ host, tls }) => [host, tls?.certificate])).toEqual([['web.local', '/good']]);
});
