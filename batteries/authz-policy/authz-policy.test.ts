import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { join } from 'node:path';
import type { Caller } from '@cleat/protocol/caller';
import { authzKind } from '@cleat/protocol/kinds/authz';
import { startForTest } from '@cleat/sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import module from './main.js';

let directory: string;
let policy: string;
let server: Server;
/** Headers of what the engine was asked. */
let asked: { url: string; headers: Record<string, unknown> }[];

const answers: Record<string, object> = {
  '/containers/alices/json': { Id: 'a', Name: '/alices', Config: { Labels: { 'com.cleat.owner': 'user:alice' } } },
  '/containers/bobs/json': {
    Id: 'b',
    Name: '/bobs',
    Config: { Labels: { 'com.cleat.owner': 'user:bob' } },
    Mounts: [{ Type: 'bind', Source: '/etc', RW: true }],
  },
  '/exec/e1/json': { ContainerID: 'bobs' },
  '/images/busybox/json': {
    Id: 'sha256:1',
    RepoTags: ['busybox:latest'],
    Config: { Labels: null, Volumes: { '/d': {} } },
  },
  '/volumes/door': {
    Name: 'door',
    Driver: 'local',
    Options: { type: 'none', device: '/' },
    Labels: { 'com.cleat.owner': 'user:alice' },
  },
  '/networks/bridge': { Id: 'n', Name: 'bridge', Labels: {} },
};

beforeEach(async () => {
  directory = mkdtempSync('/tmp/cleat-authz-policy-');
  policy = join(directory, 'policy.yaml');
  asked = [];
  server = createServer((incoming, response) => {
    asked.push({ url: incoming.url ?? '', headers: incoming.headers });
    const answer = answers[incoming.url ?? ''];
    response.writeHead(answer ? 200 : 404, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(answer ?? { message: 'No such thing' }));
  });
  await new Promise<void>((resolve) => server.listen(join(directory, 'engine.sock'), resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true });
});

const save = (text: string) => {
  writeFileSync(`${policy}.new`, text);
  renameSync(`${policy}.new`, policy);
};
const alice: Caller = { Method: 'TLS', User: 'alice' };

describe.each(['in-process', 'socket'] as const)('authz-policy, %s', (carrier) => {
  async function asking(options: Record<string, string> = {}) {
    const engine = `unix://${join(directory, 'engine.sock')}`;
    const plugin = await startForTest(module, {
      name: 'authz-policy',
      carrier,
      options: { policy, engine, ...options },
    });
    const client = plugin.client(authzKind);
    async function ask(line: string, body?: object, RequestHeaders: Record<string, string> = {}): Promise<string> {
      const [RequestMethod, RequestUri] = line.split(' ');
      const RequestBody = body && Buffer.from(JSON.stringify(body)).toString('base64');
      const message = { User: 'alice', RequestMethod, RequestUri, RequestBody, RequestHeaders, Caller: alice };
      const { Allow, Msg } = await client.AuthZReq(message);
      expect(await client.AuthZRes({ ...message, ResponseStatusCode: 200 })).toMatchObject({ Allow: true });
      return Allow ? 'yes' : `no: ${Msg}`;
    }
    return Object.assign(ask, { [Symbol.asyncDispose]: () => plugin.close() });
  }

  const own =
    '{ rules: [ { name: own, callers: "user:*", allow: "*", within: { owner: self, images: busybox, networks: bridge } } ] }';

  test('the engine is asked whose an object is, and may ask back about that', async () => {
    save(own);
    await using ask = await asking();
    expect(await ask('POST /containers/alices/stop')).toBe('yes');
    expect(await ask('POST /v1.41/containers/bobs/stop')).toBe(
      'no: rule "own": container bobs is of user:bob, not yours',
    );
    expect(await ask('POST /exec/e1/start', {})).toBe('no: rule "own": exec e1 is of user:bob, not yours');
    const body = { Image: 'busybox', Labels: { 'com.cleat.owner': 'user:alice' } };
    expect(await ask('POST /containers/create', body)).toBe('yes');
    expect(await ask('POST /containers/create', { ...body, HostConfig: { Binds: ['door:/d'] } })).toContain(
      'volume door: volume-options',
    );
    expect(await ask('POST /containers/create', { ...body, HostConfig: { VolumesFrom: ['bobs'] } })).toContain(
      'host-paths "/etc"',
    );
    const [question] = asked;
    const nonce = { 'X-Cleat-Authorizer': String(question?.headers['x-cleat-authorizer']) };
    expect(nonce['X-Cleat-Authorizer']).toMatch(/^[0-9a-f]{64}$/);
    const before = asked.length;
    expect(await ask('GET /containers/bobs/json', undefined, nonce)).toBe('yes');
    expect(asked.length).toBe(before);
    // It opens nothing else, and no other one opens anything.
    expect(await ask('POST /containers/bobs/stop', undefined, nonce)).toMatch(/^no/);
    expect(await ask('GET /containers/bobs/logs', undefined, nonce)).toMatch(/^no/);
    expect(await ask('GET /containers/bobs/json', undefined, { 'X-Cleat-Authorizer': '0'.repeat(64) })).toMatch(/^no/);
  });

  test('the file counts as it is now; one that is wrong leaves the former in force', async () => {
    await using ask = await asking();
    expect(await ask('GET /info')).toMatch(
      /^no: nothing is allowed without a policy: the policy .* cannot be used: .*no such file/,
    );
    save('rules: [ { callers: any, alow: "*" } ]');
    expect(await ask('GET /info')).toMatch(/^no: nothing is allowed without a policy: .* did you mean allow\?$/);
    save('rules: [ { callers: any, allow: "*", within: unlimited } ]');
    expect(await ask('POST /swarm/init')).toBe('yes');
    for (const wrong of ['rules: {', 'rules: [ { callers: any, allow: "nothing:*" } ]', '']) {
      save(wrong);
      expect(await ask('POST /swarm/init')).toBe('yes');
    }
    rmSync(policy);
    expect(await ask('POST /swarm/init')).toBe('yes');
    save('rules: []');
    expect(await ask('GET /info')).toBe('no: no rule allows system:info to alice (TLS)');
    // Written in place, twice in a blink.
    writeFileSync(policy, 'rules: [ { callers: any, allow: "@look" } ]');
    expect(await ask('GET /info')).toBe('yes');
    writeFileSync(policy, 'rules: [ { callers: any, deny: "@look" } ]');
    expect(await ask('GET /info')).toBe('no: rule "rule 1": system:info is denied');
  });

  test('a dry run only reports', async () => {
    save('{ mode: dry-run, rules: [] }');
    await using ask = await asking();
    expect(await ask('POST /swarm/init')).toBe('yes');
    save('rules: []');
    expect(await ask('POST /swarm/init')).toMatch(/^no/);
    await using dry = await asking({ mode: 'dry-run' });
    expect(await dry('POST /swarm/init')).toBe('yes');
  });

  test('below a path that is granted, no symbolic link leads out', async () => {
    save(`rules: [ { callers: any, allow: "*", within: { host-paths: "${directory}/*" } } ]`);
    symlinkSync('/etc', join(directory, 'link'));
    await using ask = await asking();
    const create = (path: string) =>
      ask('POST /containers/create', { Image: 'busybox', HostConfig: { Binds: [`${path}:/d`] } });
    expect(await create(`${directory}/plain`)).toBe('yes');
    expect(await create(`${directory}/link`)).toContain('there is a symbolic link in it');
    expect(await create(`${directory}/link/ssh`)).toContain('there is a symbolic link in it');
    expect(await create(`${directory}/../etc`)).toMatch(/^no/);
  });

  test.each([
    [
      'tecnativa',
      'CONTAINERS=1',
      'GET /containers/json',
      'POST /containers/create',
      'no: rule "POST": POST is not set',
    ],
    [
      'linuxserver',
      'ALLOW_START=1',
      'POST /containers/x/start',
      'POST /containers/x/stop',
      'no: rule "POST": POST is not set',
    ],
    [
      'broker',
      '{"name":"p","users":["alice"],"actions":["container"],"readonly":true}',
      'GET /containers/json',
      'POST /containers/create',
      `no: rule "p": action 'container_create' not allowed for user 'alice' by readonly policy 'p'`,
    ],
  ])('a configuration of %s', async (form, text, allowed, denied, why) => {
    save(text);
    await using ask = await asking({ form });
    expect(await ask(allowed)).toBe('yes');
    expect(await ask(denied)).toBe(why);
    save('');
    expect(await ask(allowed)).toMatch(/^no/);
  });

  test('without the engine nothing is known', async () => {
    save(own);
    await using ask = await asking();
    server.close();
    server.closeAllConnections();
    await expect
      .poll(() => ask('POST /containers/alices/stop'))
      .toMatch(/^no: rule "own": the engine .* cannot be reached/);
    expect(await ask('GET /info')).toBe('yes');
  });
});

test('options that are wrong are refused at the start', async () => {
  for (const options of [{ policy: 'here.yaml' }, { form: 'xml' }, { mode: 'maybe' }, { engine: 'nowhere' }]) {
    const settings = { name: 'authz-policy', carrier: 'in-process', options } as const;
    await expect(startForTest(module, settings)).rejects.toMatchObject({ class: 'InvalidParameter' });
  }
});

test('as a process it says in its health that the file is wrong', async () => {
  const { serve } = await import('@cleat/sdk');
  const { silentLogger } = await import('@cleat/protocol/log');
  const socket = join(directory, 'p.sock');
  await using _served = await serve(module, { name: 'authz-policy', socket, options: { policy }, log: silentLogger });
  const health = () =>
    new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const sent = request({ socketPath: socket, path: '/health', agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode, text }));
      });
      sent.on('error', reject).end();
    });
  save('rules: []');
  expect(await health()).toMatchObject({ status: 200 });
  save('rules: x');
  const { status, text } = await health();
  expect(status).not.toBe(200);
  expect(text).toContain('the former policy is in force');
});
