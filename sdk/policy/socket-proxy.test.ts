import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { proxyVariables, socketProxyOf } from './socket-proxy.js';

/**
 * The requests that HAProxy 2.6 let pass with the proxies' own configurations: for each environment, the numbers of requests. All
 * variables alone and with POST, in both states.
 */
const answers = JSON.parse(readFileSync(new URL('haproxy-answers.json', import.meta.url), 'utf8')) as {
  requests: string[];
} & Record<'tecnativa' | 'linuxserver', Record<string, string>>;
const requests = answers.requests.flatMap((row) => row.split(' | '));

/** `0-2 5` → 0, 1, 2, 5 */
const numbersIn = (text: string): number[] =>
  text
    .split(' ')
    .filter(Boolean)
    .flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });

describe.each(['tecnativa', 'linuxserver'] as const)('%s', (proxy) => {
  const rows = Object.entries(answers[proxy]);

  test('the table has every variable, set and not set', () => {
    const known = new Set(rows.map(([environment]) => environment));
    for (const variable of proxyVariables(proxy)) {
      expect(known.has(`${variable}=1`), variable).toBe(true);
      if (variable !== 'POST') expect(known.has(`${variable}=0 POST=1`), variable).toBe(true);
    }
  });

  test.each(rows)('%s', (environment, passed) => {
    // A value may begin with a space.
    const judge = socketProxyOf(proxy, environment.replace(/ (?=[A-Z_]+=)/g, '\n'));
    const allowed = requests.filter((request) => {
      const [RequestMethod, RequestUri] = request.split(' ');
      return judge({ RequestMethod, RequestUri }).allow;
    });
    expect(allowed).toEqual(numbersIn(passed).map((number) => requests[number]));
  });

  test('looking is GET and HEAD, and what cannot be decoded is refused', () => {
    const judge = socketProxyOf(proxy, '# a comment\nCONTAINERS=1\r\n\nPOST');
    for (const [RequestMethod, RequestUri, allow] of [
      ['HEAD', '/containers/json', true],
      ['DELETE', '/containers/x', false],
      ['GET', '/containers/%zz/json', false],
    ] as const) {
      expect(judge({ RequestMethod, RequestUri }).allow, RequestMethod).toBe(allow);
    }
  });
});

test('a client who is refused is told by which variable', () => {
  const start = { RequestMethod: 'POST', RequestUri: '/containers/x/start' };
  expect(socketProxyOf('tecnativa', 'ALLOW_START=1')(start)).toMatchObject({ allow: false, reason: 'POST is not set' });
  expect(socketProxyOf('tecnativa', 'POST=1')(start)).toMatchObject({ reason: 'ALLOW_START and CONTAINERS not set' });
  const logs = { RequestMethod: 'GET', RequestUri: '/containers/x/logs' };
  expect(socketProxyOf('linuxserver', 'CONTAINERS=1')(logs)).toMatchObject({ allow: false, rule: 'ALLOW_LOGS' });
});
