import { expect, test } from 'vitest';
import { recordedRequest } from './recorded.js';
import { table, testText, traceText } from './text.js';

test('a request as JSON', () => {
  const request = {
    Method: 'POST',
    URL: '/containers/create',
    Body: { Image: 'x' },
    Caller: { Method: 'none', User: '' },
  };
  expect(recordedRequest(JSON.stringify(request))).toEqual(request);
});

test.each([
  ['curl http://localhost/info', { Method: 'GET', URL: '/info', Headers: {} }],
  [
    'curl --unix-socket /run/docker.sock http://docker/v1.41/_ping -I',
    { Method: 'HEAD', URL: '/v1.41/_ping', Headers: {} },
  ],
  [
    `curl -s -XDELETE -H 'X-A: b c' \\\n  --unix-socket=/x "http://h/containers/a b?force=1"`,
    { Method: 'DELETE', URL: '/containers/a b?force=1', Headers: { 'X-A': 'b c' } },
  ],
  [
    `curl -H "Content-Type: application/json" -d '{"Image": "it''s", "Env": ["A=\\"1\\""]}' http://localhost/containers/create?name=x`,
    {
      Method: 'POST',
      URL: '/containers/create?name=x',
      Headers: { 'Content-Type': 'application/json' },
      Body: { Image: 'its', Env: ['A="1"'] },
    },
  ],
  ['curl localhost/x --data-raw "{\\"a\\": 1}" -X PUT', { Method: 'PUT', URL: '/x', Headers: {}, Body: { a: 1 } }],
])('%s', (text, request) => {
  expect(recordedRequest(text)).toEqual(request);
});

test.each([
  ['wget http://localhost', 'neither JSON nor a curl command'],
  ["curl 'http://localhost", 'a quote is not closed'],
  ['curl -d {} -H a:b', 'the curl command has no URL'],
  ['curl -d nothing http://localhost', 'the body of the request is not JSON'],
  ['{"Method": "GET"}', 'a request needs Method and URL'],
  ['{"Method": "GET", "Path": "/"}', 'a request has no "Path": Method, URL, Headers, Body, Caller are known'],
  ['{', 'the request is not JSON'],
])('%s is refused', (text, why) => {
  expect(() => recordedRequest(text)).toThrow(why);
});

test('texts of hooks do not obey a terminal, nor look like other lines', () => {
  const Steps = [
    {
      ...({
        Hook: 'a',
        Stage: 'request',
        Result: 'denied',
        DurationMs: 1.5,
        Reason: 'no\n  b (request): passed',
      } as const),
      Changes: [
        { Path: 'Body.A', From: '1', To: '"\u001b[31m"' },
        { Path: 'Body.B', To: '2', YieldedTo: 'c' },
      ],
    },
  ];
  const trace = {
    ...{ Number: 1, ID: 'x1', Time: '2026-11-30T00:00:00Z', Caller: { Method: 'none', User: '' }, Method: 'POST' },
    ...({
      Route: '/containers/*/start',
      Params: { name: 'web' },
      Decision: 'denied',
      By: 'a',
      Status: 403,
      Steps,
    } as const),
  };
  expect(
    traceText(trace),
  ).toBe(`2026-11-30T00:00:00Z x1 POST /containers/web/start (nobody known): denied by a, answer 403
  a (request): denied in 1.5 ms: no   b (request): passed
    Body.A: 1 → "\\u001b[31m"
    Body.B: not 2, c wins
`);
  const Refusal = { Status: 403, Message: 'no' };
  const tried = testText({ Method: 'GET', URL: '/info', Decision: 'denied', Steps: [], Refusal });
  expect(tried).toContain('refused with status 403: no');
  expect(table([])).toContain('has no request hooks');
});
