import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { openExtensions } from '@cleat/extensions/index';
import type { Logger } from '@cleat/protocol/log';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openAuthorization } from './index.js';
import type { ApiRequest } from './service.js';

/** A plugin in no language in particular: what it answers, byte by byte. */
type Behaviour = (response: ServerResponse, path: string) => void;
const says =
  (text: string, status = 200): Behaviour =>
  (response) => {
    response.writeHead(status).end(text);
  };

let directory: string;
let extensions: ReturnType<typeof openExtensions>;
let asked: { plugin: string; path: string; message: Record<string, unknown> }[];
let logged: { message: string; fields: Record<string, unknown> | undefined }[];
const closers: (() => void)[] = [];

const record = (message: string, fields?: Record<string, unknown>): void => void logged.push({ message, fields });
const log: Logger = { ...silentLogger, warn: record, error: record };

beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-authz-');
  asked = [];
  logged = [];
  extensions = openExtensions({
    manifestPaths: [],
    overrides: { slow: { deadlines: { '*': 150 } } },
    variables: {},
    pluginDirectories: [directory],
    dataRoot: directory,
    execRoot: directory,
    hostPath: '',
    log: silentLogger,
  });
});
afterEach(async () => {
  await extensions.close();
  for (const close of closers.splice(0)) close();
  rmSync(directory, { recursive: true });
});

async function plugin(name: string, behaviour: Behaviour, kind = 'authz'): Promise<void> {
  const server = createServer(async (request: IncomingMessage, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    const path = request.url ?? '';
    if (path === '/Plugin.Activate') return void response.end(JSON.stringify({ Implements: [kind] }));
    asked.push({ plugin: name, path, message: JSON.parse(text) as Record<string, unknown> });
    behaviour(response, path);
  });
  await new Promise<void>((resolve) => server.listen(join(directory, `${name}.sock`), resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
}

const asking = (...authorizationPlugins: string[]) =>
  openAuthorization({ config: { authorizationPlugins }, extensions, log });

const request: ApiRequest = {
  caller: { Method: 'TLS', User: 'alice' },
  certificates: ['-----BEGIN CERTIFICATE-----\n'],
  method: 'POST',
  uri: '/v1.41/containers/create?name=x',
  headers: { 'Content-Type': 'application/json' },
  body: '{"Image":"é"}',
};
const base64 = (text: string): string => Buffer.from(text).toString('base64');

test('asks in Docker’s words: the request, then the request with its answer', async () => {
  await plugin('guard', says('{"allow":true}'));
  const judge = await asking('guard').authorize(request);
  await judge({ status: 201, headers: { Server: 'x' }, body: Buffer.from('{"Id":"1"}\n') });
  const message = {
    User: 'alice',
    UserAuthNMethod: 'TLS',
    RequestMethod: 'POST',
    RequestUri: '/v1.41/containers/create?name=x',
    RequestBody: base64('{"Image":"é"}'),
    RequestHeaders: { 'Content-Type': 'application/json' },
    RequestPeerCertificates: [base64('-----BEGIN CERTIFICATE-----\n')],
    Caller: { Method: 'TLS', User: 'alice' },
  };
  const answer = {
    ResponseStatusCode: 201,
    ResponseHeaders: { Server: 'x' },
    ResponseBody: base64('{"Id":"1"}\n'),
  };
  expect(asked).toEqual([
    { plugin: 'guard', path: '/AuthZPlugin.AuthZReq', message },
    { plugin: 'guard', path: '/AuthZPlugin.AuthZRes', message: { ...message, ...answer } },
  ]);
});

test('leaves out what is empty', async () => {
  await plugin('guard', says('{"Allow":true}'));
  const nobody = { ...request, caller: { Method: 'unix', User: 'root' }, certificates: [], body: undefined };
  const judge = await asking('guard').authorize(nobody);
  await judge({ status: 101, headers: {}, body: undefined });
  for (const { message } of asked) {
    for (const key of ['User', 'UserAuthNMethod', 'RequestBody', 'RequestPeerCertificates', 'ResponseBody']) {
      expect(message).not.toHaveProperty(key);
    }
  }
});

test('all must allow, in order; one that is named twice is asked once', async () => {
  await plugin('first', says('{"Allow":true}'));
  await plugin('second', says('{"Allow":false,"Msg":"not on my watch"}'));
  await plugin('third', says('{"Allow":true}'));
  await expect(asking('first', 'first', 'second', 'third').authorize(request)).rejects.toMatchObject({
    class: 'Forbidden',
    message: 'authorization denied by plugin second: not on my watch',
  });
  expect(asked.map(({ plugin }) => plugin)).toEqual(['first', 'second']);
  expect(logged.map(({ fields }) => fields)).toEqual([
    {
      plugin: 'second',
      caller: 'alice (TLS)',
      method: 'POST',
      uri: '/v1.41/containers/create?name=x',
      question: 'AuthZReq',
      reason: 'not on my watch',
    },
  ]);
});

test('an answer can be denied', async () => {
  await plugin('guard', (response, path) => {
    response.end(JSON.stringify({ Allow: path.endsWith('Req'), Msg: 'you have seen enough' }));
  });
  const judge = await asking('guard').authorize(request);
  await expect(judge({ status: 200, headers: {}, body: undefined })).rejects.toMatchObject({
    class: 'Forbidden',
    message: 'authorization denied by plugin guard: you have seen enough',
  });
});

test('the words of a plugin do not reach the terminal as they are', async () => {
  await plugin('guard', says(JSON.stringify({ Allow: false, Msg: '\u001b[2J\r' })));
  await expect(asking('guard').authorize(request)).rejects.toMatchObject({
    message: 'authorization denied by plugin guard: \\u001b[2J\\u000d',
  });
});

describe('anything but a plain yes is a no', () => {
  const failed = 'System';
  test.each<[string, Behaviour, string]>([
    ['nothing', says(''), 'Forbidden'],
    ['no verdict', says('{}'), 'Forbidden'],
    ['null', says('{"Allow":null}'), 'Forbidden'],
    ['a word for yes', says('{"Allow":"true"}'), failed],
    ['a number for yes', says('{"Allow":1}'), failed],
    ['yes and an error', says('{"Allow":true,"Err":"boom"}'), failed],
    ['yes with a status that is none', says('{"Allow":true}', 500), failed],
    ['an error that claims a class', says('{"Err":"boom","Class":"NotFound"}', 500), failed],
    ['no such method', says('not found', 404), failed],
    ['no JSON', says('yes'), failed],
    [
      'half of it',
      (response) => void response.writeHead(200, { 'Content-Length': 99 }).write('{"Allow":true}'),
      failed,
    ],
    ['a broken connection', (response) => void response.socket?.destroy(), failed],
    ['silence', () => {}, failed],
  ])('%s', async (_what, behaviour, errorClass) => {
    await plugin('slow', behaviour);
    const error: unknown = await asking('slow')
      .authorize(request)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      class: errorClass,
      message: expect.stringMatching(
        errorClass === failed ? /^plugin slow failed with error: / : /^authorization denied by plugin slow: /,
      ),
    });
    expect(logged).toHaveLength(1);
  });

  test('nobody of that name, or of that kind', async () => {
    await plugin('volumes', says('{"Allow":true}'), 'VolumeDriver');
    for (const name of ['nobody', 'volumes']) {
      await expect(asking(name).authorize(request)).rejects.toMatchObject({
        class: failed,
        message: expect.stringContaining(`plugin ${name} failed with error: plugin "${name}" `),
      });
    }
    expect(asked).toEqual([]);
  });
});

test('a body that is too large to be shown whole is refused', async () => {
  await plugin('guard', says('{"Allow":true}'));
  const body = JSON.stringify({ Image: 'x'.repeat(4 * 1024 * 1024) });
  await expect(asking('guard').authorize({ ...request, body })).rejects.toMatchObject({
    message: 'request body too large for authorization plugin: size exceeds 4194304 bytes',
  });
  expect(asked).toEqual([]);
  const judge = await asking('guard').authorize(request);
  await expect(judge({ status: 200, headers: {}, body: Buffer.alloc(17 * 1024 * 1024) })).rejects.toThrow('too large');
});

test('heals by itself when the plugin comes', async () => {
  const config = { authorizationPlugins: ['late'] };
  const authorization = openAuthorization({ config, extensions, log });
  await expect(authorization.authorize(request)).rejects.toThrow('plugin late failed with error');
  await plugin('late', says('{"Allow":true}'));
  await authorization.authorize(request);
  config.authorizationPlugins = [];
  expect(authorization.required).toBe(false);
});

test('a plugin that has allowed to be disabled is not asked any longer; if it was disabled before, all is refused', async () => {
  const config = { authorizationPlugins: ['guard'] };
  let isDisabled = true;
  const authorization = openAuthorization({ config, extensions, log, isDisabled: () => isDisabled });
  await expect(authorization.authorize(request)).rejects.toThrow('plugin guard failed with error');
  await plugin('guard', says('{"Allow":false,"Msg":"no"}'));
  isDisabled = false;
  await expect(authorization.authorize(request)).rejects.toThrow('denied by plugin guard: no');
  isDisabled = true;
  await authorization.authorize(request);
  // Named anew, it counts anew.
  config.authorizationPlugins = [];
  await authorization.authorize(request);
  config.authorizationPlugins = ['guard'];
  await expect(authorization.authorize(request)).rejects.toThrow('guard');
  const next = openAuthorization({ config, extensions, log, isDisabled: () => true });
  await expect(next.authorize(request)).rejects.toThrow('guard');
});
