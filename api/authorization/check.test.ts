import { request as httpRequest } from 'node:http';
import type { ApiAnswer, ApiRequest, Authorization } from '@cleat/engine/authorization/service';
import type { ContainerCreateRequest } from '@cleat/protocol/api/container';
import { forbidden, notFound } from '@cleat/protocol/errors';
import { beforeEach, describe, expect, it } from 'vitest';
import { echoSession, startApi, type TestApi, talk } from '../testing/fakes.js';

let asked: ApiRequest[];
let answers: ApiAnswer[];
let allowRequest: (request: ApiRequest) => boolean;
let allowAnswer: (answer: ApiAnswer) => boolean;
let required: boolean;
beforeEach(() => {
  asked = [];
  answers = [];
  allowRequest = () => true;
  allowAnswer = () => true;
  required = true;
});

const authorization: Authorization = {
  get required() {
    return required;
  },
  async authorize(request) {
    asked.push(request);
    if (!allowRequest(request)) throw forbidden('authorization denied by plugin p: no');
    return async (answer) => {
      answers.push(answer);
      if (!allowAnswer(answer)) throw forbidden('authorization denied by plugin p: not that');
    };
  },
};

const created: ContainerCreateRequest[] = [];
const services = {
  containers: {
    async create(request: ContainerCreateRequest) {
      created.push(structuredClone(request));
      return { Id: 'abc', Warnings: [] };
    },
    start: async () => {},
    attach: async () => echoSession(true),
    wait: () => ({ result: Promise.resolve({ StatusCode: 3 }) }),
    async inspect() {
      throw notFound('No such container: x');
    },
  },
  authorization,
} as Parameters<typeof startApi>[0];

interface Answer {
  status: number;
  text: string;
}

/** `pieces` are sent in chunked coding, without a length. */
function ask(
  server: TestApi,
  method: string,
  path: string,
  pieces?: readonly string[],
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const type = pieces ? { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' } : {};
    const sent = httpRequest(
      { socketPath: server.socketPath, method, path, headers: { ...type, ...headers } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        // The request may still be on its way when it is refused.
        sent.on('close', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    sent.on('error', reject);
    for (const piece of pieces ?? []) sent.write(piece);
    sent.end();
  });
}

const denied = { status: 403, text: '{"message":"authorization denied by plugin p: no"}\n' };

describe('requests as an authorizer is shown them', () => {
  const privileged = '{"Image":"i","HostConfig":{"Privileged":true}}';
  it.each([
    ['as it is', [privileged]],
    ['in another case', ['{"image":"i","hostconfig":{"PRIVILEGED":true}}']],
    ['with keys twice, the last one counts', ['{"Image":"i","HostConfig":null,"hostConfig":{"Privileged":true}}']],
    ['with escapes', ['{"Image":"\\u0069","Host\\u0043onfig":{"Privileged":true}}']],
    ['with a letter that folds to s', ['{"Image":"i","Ho\u017ftConfig":{"Privileged":true}}']],
    ['in pieces', [...privileged]],
    ['padded', [`{"x":"${'x'.repeat(2 << 20)}",`, privileged.slice(1)]],
    ['padded with white space', [' '.repeat(2 << 20), privileged]],
  ])('is the body that the engine acts on: %s', async (_how, pieces) => {
    await using server = await startApi(services);
    created.length = 0;
    allowRequest = ({ body }) => {
      const { HostConfig } = JSON.parse(body ?? '{}') as ContainerCreateRequest;
      return HostConfig?.Privileged !== true;
    };
    expect(await ask(server, 'POST', '/v1.51/containers/create', pieces)).toEqual(denied);
    expect(asked).toMatchObject([{ body: privileged }]);
    expect(created).toEqual([]);
  });

  it.each([
    ['/v1.41/containers/create?name=x'],
    ['/v1.41/containers/%63reate?n%61me=x'],
    ['//v1.41/containers/create/?name=x'],
    ['http://elsewhere/v1.41/containers/create?name=x&'],
  ])('is the target in one spelling: %s', async (path) => {
    await using server = await startApi(services);
    await ask(server, 'POST', path, ['{"Image":"i"}']);
    expect(asked.map(({ uri }) => uri)).toEqual(['/v1.41/containers/create?name=x']);
  });

  it('keeps in the target what the path needs', async () => {
    await using server = await startApi(services);
    for (const path of ['/containers/a%3Fb%23c%25/json', '/containers/x/y@sha256:1/json?size=1']) {
      await ask(server, 'GET', path);
      expect(asked.at(-1)?.uri).toBe(path);
    }
  });

  it('is the body of a start where that body counts', async () => {
    await using server = await startApi(services);
    const body = '{"privileged":true}';
    expect((await ask(server, 'POST', '/v1.23/containers/x/start', [body])).status).toBe(204);
    expect(asked).toMatchObject([{ body: '{"Privileged":true}' }]);
    // From 1.24 on it is refused, no matter who asks.
    expect((await ask(server, 'POST', '/v1.24/containers/x/start', [body])).status).toBe(400);
    expect(asked[1]).toMatchObject({ body: undefined });
  });

  it('has no credentials', async () => {
    await using server = await startApi(services);
    const secrets = { authorization: 'Basic x', 'X-Registry-Auth': 'x', 'x-registry-config': 'x' };
    await ask(server, 'GET', '/_ping', undefined, { ...secrets, 'x-meta-user': 'me' });
    expect(asked).toMatchObject([{ certificates: [], method: 'GET', body: undefined }]);
    expect(asked[0]?.headers).toEqual({ Connection: expect.any(String), 'X-Meta-User': 'me' });
  });

  it('is neither password nor token of a login', async () => {
    await using server = await startApi(services);
    for (const path of ['/auth', '/v1.41/%61uth/']) await ask(server, 'POST', path, ['{"password":"secret"}']);
    expect(asked.map(({ uri }) => uri)).toEqual(['/auth', '/v1.41/auth']);
    expect([...asked, ...answers].map(({ body }) => body)).toEqual([undefined, undefined, undefined, undefined]);
  });

  it.each([
    ['malformed', 'invalid JSON', '{"Image":', 'application/json'],
    ['of another type', 'unsupported Content-Type', '{"Image":"i"}', 'text/plain'],
    ['too large', 'larger than', `{"Image":"${'x'.repeat(17 << 20)}"}`, 'application/json'],
  ])('a body that cannot be shown is refused: %s', async (_what, message, text, type) => {
    await using server = await startApi(services);
    created.length = 0;
    const answer = await ask(server, 'POST', '/containers/create', [text], { 'Content-Type': type });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain(message);
    expect([asked, created]).toEqual([[], []]);
  });
});

describe('hijacking', () => {
  const attach = 'POST /containers/c/attach?stdin=1 HTTP/1.1\r\nHost: x\r\n';
  it.each([
    ['with an upgrade', `${attach}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n`],
    ['without', `${attach}\r\n`],
  ])('is refused before anything is attached, %s', async (_how, head) => {
    await using server = await startApi({ ...services, containers: {} });
    allowRequest = () => false;
    const answer = await talk(server.connect(), `${head}GET /containers/json HTTP/1.1\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(answer.endsWith(denied.text)).toBe(true);
    expect(asked).toHaveLength(1);
  });

  it.each([
    ['with a length', 'Content-Length: 15\r\n\r\n{"detach":true}'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n7\r\n{"detac\r\n8\r\nh":true}\r\n0\r\n\r\n'],
  ])('shows the body of an exec that starts, %s', async (_how, rest) => {
    await using server = await startApi(services);
    allowRequest = () => false;
    const head = 'POST /exec/e/start HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n';
    const answer = await talk(server.connect(), `${head}Content-Type: application/json\r\n${rest}`);
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(asked).toMatchObject([{ body: '{"Detach":true}' }]);
  });

  it('is allowed with its input intact', async () => {
    await using server = await startApi(services);
    const head = `${attach}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n`;
    const answer = await talk(server.connect(), `${head}hello`, { end: true });
    expect(answer).toMatch(/^HTTP\/1\.1 101 UPGRADED\r\n/);
    expect(answer.endsWith('\r\n\r\nhellobye')).toBe(true);
    expect(answers).toMatchObject([{ status: 101, body: undefined }]);
  });
});

describe('answers', () => {
  it('are seen whole before the client sees them, and can be denied', async () => {
    await using server = await startApi(services);
    allowAnswer = ({ body }) => !body?.includes('abc');
    const answer = await ask(server, 'POST', '/containers/create', ['{"Image":"i"}']);
    expect(answer).toEqual({ status: 403, text: '{"message":"authorization denied by plugin p: not that"}\n' });
    expect(answers).toMatchObject([{ status: 201, headers: { 'Content-Type': 'application/json', Ostype: 'linux' } }]);
    expect(String(answers[0]?.body)).toBe('{"Id":"abc","Warnings":[]}\n');
  });

  it('bodies of another kind are seen without their body', async () => {
    await using server = await startApi(services);
    expect(await ask(server, 'GET', '/_ping')).toEqual({ status: 200, text: 'OK' });
    expect(answers).toMatchObject([{ status: 200, body: undefined }]);
  });

  it('that stream are denied before they begin', async () => {
    await using server = await startApi(services);
    expect(await ask(server, 'POST', '/containers/x/wait')).toEqual({ status: 200, text: '{"StatusCode":3}\n' });
    allowAnswer = () => false;
    expect((await ask(server, 'POST', '/containers/x/wait')).status).toBe(403);
  });

  it('that are errors are seen too, once', async () => {
    await using server = await startApi(services);
    expect((await ask(server, 'GET', '/containers/x/json')).status).toBe(404);
    expect(answers).toMatchObject([{ status: 404 }]);
    expect(String(answers[0]?.body)).toBe('{"message":"No such container: x"}\n');
    allowAnswer = () => false;
    expect((await ask(server, 'GET', '/containers/x/json')).status).toBe(403);
    expect(answers).toHaveLength(2);
  });
});

it('nobody is asked when no plugin is configured', async () => {
  await using server = await startApi(services);
  required = false;
  expect((await ask(server, 'POST', '/containers/create', ['{"Image":"i"}'])).status).toBe(201);
  expect([asked, answers]).toEqual([[], []]);
});
