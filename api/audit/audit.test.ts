import type { Audit } from '@cleat/engine/audit/service';
import type { Authorization } from '@cleat/engine/authorization/service';
import { HookBench } from '@cleat/engine/hooks/hooks.fixture';
import type { NewAuditRecord } from '@cleat/protocol/audit';
import { forbidden, notFound, systemError } from '@cleat/protocol/errors';
import { asDetails } from '@cleat/protocol/verdict';
import { beforeEach, expect, test } from 'vitest';
import { echoSession, startApi, talk } from '../testing/fakes.js';
import { loggedTarget, maskedQuery, maskedTarget } from './mask.js';

let noted: NewAuditRecord[];
let verdict: (() => void) | undefined;
let answerVerdict: (() => void) | undefined;
beforeEach(() => {
  noted = [];
  verdict = answerVerdict = undefined;
});

const audit: Audit = {
  enabled: true,
  note: (record) => noted.push(record),
  async *read(query) {
    yield { Seq: 1, ...(query as object) } as never;
  },
  container: (ref) => (['web', 'abc'].includes(ref) ? { ID: 'abc', Name: 'web' } : undefined),
  containerOfExec: (id) => (id === 'e1' ? { ID: 'abc', Name: 'web' } : undefined),
  lost: 0,
};
const authorization: Authorization = {
  required: true,
  async authorize() {
    verdict?.();
    return async () => answerVerdict?.();
  },
};
const denial =
  (by: string, denied = true) =>
  (): never => {
    throw (denied ? forbidden : systemError)(`no, says ${by}`, {
      details: asDetails({ by, reason: 'because', denied }),
    });
  };
const services = {
  containers: {
    create: async () => ({ Id: 'abc', Warnings: [] }),
    start: async () => {},
    attach: async () => echoSession(true),
    inspect: async (name: string) => {
      throw notFound(`No such container: ${name}`);
    },
  },
  audit,
  authorization,
} as Parameters<typeof startApi>[0];

async function ask(request: string, more = ''): Promise<string> {
  await using server = await startApi(services);
  const close = /upgrade/i.test(request) ? '' : 'Connection: close\r\n';
  return await talk(server.connect(), `${request}\r\nHost: x\r\n${close}${more || '\r\n'}`, { end: true });
}

test.each([
  ['GET /_ping HTTP/1.1', { Decision: 'allowed', Status: 200, Route: '/_ping', URI: '/_ping', Method: 'GET' }],
  [
    'POST /v1.41/containers/%77eb/start?detachKeys=a%26b HTTP/1.1',
    {
      Decision: 'allowed',
      Status: 204,
      Route: '/containers/{name}/start',
      URI: '/v1.41/containers/web/start?detachKeys=a%26b',
      Container: { ID: 'abc', Name: 'web' },
    },
  ],
  [
    'GET /containers/x%1b/json HTTP/1.1',
    { Decision: 'failed', Status: 404, Reason: 'NotFound', Container: { Name: 'x\\u001b' } },
  ],
  ['GET /exec/e1/json HTTP/1.1', { Route: '/exec/{id}/json', Container: { ID: 'abc', Name: 'web' } }],
  ['POST /exec/none/resize HTTP/1.1', { Route: '/exec/{id}/resize', Container: undefined }],
  [
    'GET /nowhere?token=s3cret HTTP/1.1',
    { Decision: 'refused', Status: 404, Reason: 'NotFound', Route: '', URI: '/nowhere?***' },
  ],
  ['GET /v9.99/info HTTP/1.1', { Decision: 'refused', Status: 400, Reason: 'InvalidParameter' }],
  ['GET /volumes/v?platform=a HTTP/1.1', { Decision: 'refused', Status: 400 }],
  ['garbage', { Decision: 'refused', Status: 400, Method: '', URI: '', Route: '' }],
])('%s', async (request, wanted) => {
  await ask(request);
  expect(noted).toMatchObject([wanted]);
  expect(JSON.stringify(noted)).not.toContain('s3cret');
});

test('a denial, a failure to judge, and an answer that was denied after all', async () => {
  verdict = denial('authorizer p');
  await ask('POST /containers/web/start HTTP/1.1');
  verdict = denial('authorizer q', false);
  await ask('POST /containers/web/start HTTP/1.1');
  verdict = undefined;
  answerVerdict = denial('authorizer p');
  await ask('POST /containers/web/start HTTP/1.1');
  expect(noted).toMatchObject([
    { Decision: 'denied', By: 'authorizer p', Reason: 'because', Status: 403 },
    { Decision: 'failed', By: 'authorizer q', Reason: 'because', Status: 500 },
    { Decision: 'denied', By: 'authorizer p', Executed: true, Status: 403 },
  ]);
  expect(noted.map(({ Executed }) => Executed === true)).toEqual([false, false, true]);
});

test('a create names the container that it made, and nothing of its body or its headers is kept', async () => {
  const body = JSON.stringify({ Image: 'x', Env: ['PASSWORD=s3cret'] });
  const head = `Content-Type: application/json\r\nX-Registry-Auth: s3cret\r\nContent-Length: ${body.length}\r\n\r\n`;
  await ask('POST /containers/create HTTP/1.1', head + body);
  expect(noted).toMatchObject([{ Decision: 'allowed', Status: 201, Container: { ID: 'abc', Name: 'web' } }]);
  expect(noted[0]?.Sent).toBeGreaterThan(100);
  expect(JSON.stringify(noted)).not.toContain('s3cret');
});

test('hooks: what they changed, and which one denied, failed or answered', async () => {
  await using bench = new HookBench();
  await bench.hook('owner', { Request: { Set: [{ Path: 'Body.Labels["a.b"]', Value: 's3cret' }] } });
  await bench.hook('no', { Request: { Deny: { Status: 404, Message: 'not here' } } });
  await bench.hook('bad', { Request: { Err: 'broken' } });
  await bench.hook('cache', { Request: { Answer: { Status: 201, Body: { Id: 'x' } } } });
  await using server = await startApi({ ...services, hooks: bench.hooks });
  const body = '{"Image":"x"}';
  const head = `Host: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
  for (const hook of ['no', 'bad', 'cache']) {
    bench.file(`hooks: [{name: owner}, {name: ${hook}}]`);
    await talk(server.connect(), `POST /containers/create HTTP/1.1\r\n${head}${body}`);
  }
  const Changes = [{ Hook: 'owner', Path: 'Body.Labels["a.b"]' }];
  expect(noted).toMatchObject([
    { Decision: 'denied', By: 'hook no', Reason: 'not here', Status: 404, Changes },
    { Decision: 'failed', By: 'hook bad', Reason: expect.stringContaining('broken') as string, Status: 500, Changes },
    { Decision: 'allowed', By: 'hook cache', Reason: 'answered', Status: 201, Changes },
  ]);
  expect(JSON.stringify(noted)).not.toContain('s3cret');
});

test('a stream that takes the connection over is on record when it begins, and when it ends', async () => {
  const answer = await ask('POST /containers/web/attach?stdin=1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp');
  expect(answer).toContain('bye');
  expect(noted).toMatchObject([
    { Decision: 'open', Status: 0, Container: { Name: 'web' } },
    { Decision: 'allowed', Status: 101 },
  ]);
  expect(noted[1]?.ID).toBe(noted[0]?.ID);
});

test('the journal is read through the API, with filters that are known', async () => {
  expect(await ask('GET /cleat/audit?user=u&since=1.5&last=3&follow=1 HTTP/1.1')).toMatch(
    /jsonl[\s\S]*\{"Seq":1,"user":"u","since":1500,"last":3,"follow":true\}\n/,
  );
  expect(await ask('GET /cleat/audit?usr=u HTTP/1.1')).toContain('has no parameter');
});

test.each([
  [[['remote', 'https://me:s3cret@git.example/a.git?token=s3cret#s3cret']], 'remote=https://git.example/a.git'],
  [[['remote', 'me:s3cret@git.example/a']], 'remote=***'],
  [[['fromSrc', 'https://%zz:s3cret@/']], 'fromSrc=***'],
  [[['remote', 'registry.example/plugin:v1@sha256:ab']], 'remote=registry.example/plugin:v1@sha256:ab'],
  [
    [
      ['buildargs', '{"TOKEN":"s3cret"}'],
      ['t', 'a&b=c d'],
    ],
    'buildargs=***&t=a%26b%3Dc%20d',
  ],
  [
    [
      ['something-new', 's3cret'],
      ['BUILDARGS', 's3cret'],
    ],
    'something-new=***&BUILDARGS=***',
  ],
  [[['filters', 'x'.repeat(1000)]], `filters=${'x'.repeat(256)}…`],
] as [[string, string][], string][])('a query: %j', (pairs, shown) => expect(maskedQuery(pairs)).toBe(shown));

test('a target that is none', () => {
  expect(maskedTarget('http://me:s3cret@host/a?b=s3cret')).toBe('http://***@host/a?***');
  expect(loggedTarget('/build?t=a%2Fb&buildargs=%7B%22A%22%3A%22s3cret%22%7D&remote=https://me:s3cret@host/x')).toBe(
    '/build?t=a/b&buildargs=***&remote=https://host/x',
  );
  expect(loggedTarget('http://me:s3cret@host/a?b=s3cret&%zz#s3cret')).toBe('http://***@host/a?b=***&%25zz=');
  expect(maskedTarget(`/${'a'.repeat(5000)}`).length).toBeLessThan(2100);
});
