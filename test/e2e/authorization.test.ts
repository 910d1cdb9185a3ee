import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { type RequestOptions, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ContainerCreateRequest } from '@cleat/protocol/api/container';
import type { EventMessage } from '@cleat/protocol/api/event';
import type { AuditRecord } from '@cleat/protocol/audit';
import type { AuthorizationRequest } from '@cleat/protocol/kinds/authz';
import { silentLogger } from '@cleat/protocol/log';
import { authzKind, defineExtension, implement, type Served, serve } from '@cleat/sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Certificates, makeCertificates } from './support/certificates.js';
import { type CommandResult, type Engine, startEngine } from './support/engine.js';

/** A policy that names no user of the UNIX socket, lets bob only look, and nobody have a privileged container. */
const policy = defineExtension({
  start: () => ({
    implementations: [
      implement(authzKind, {
        AuthZReq(message) {
          seen.push(message);
          if (message.User === 'bob' && message.RequestMethod !== 'GET' && message.RequestMethod !== 'HEAD') {
            return { Allow: false, Msg: 'bob may only look' };
          }
          if (/\/containers\/create(\?|$)/.test(message.RequestUri ?? '')) {
            const body = JSON.parse(textOf(message.RequestBody) || '{}') as ContainerCreateRequest;
            if (body.HostConfig?.Privileged) return { Allow: false, Msg: 'nobody may be privileged' };
          }
          return { Allow: true };
        },
        AuthZRes: ({ ResponseBody }) => ({ Allow: !textOf(ResponseBody).includes('classified'), Msg: 'classified' }),
      }),
    ],
  }),
});
const textOf = (base64 = ''): string => Buffer.from(base64, 'base64').toString();
const seen: AuthorizationRequest[] = [];

let scratch: string;
let engine: Engine;
let certificates: Certificates;
let plugin: Served;
const servePolicy = (): Promise<Served> =>
  serve(policy, { name: 'policy', socket: join(scratch, 'policy.sock'), log: silentLogger });

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'cle-authz-'));
  certificates = await makeCertificates(scratch, ['alice', 'bob']);
  plugin = await servePolicy();
  engine = await startEngine({
    flags: [...certificates.daemonFlags, `--plugin-dir=${scratch}`, '--authorization-plugin=policy'],
  });
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await plugin.close();
  await rm(scratch, { recursive: true });
});

const as = (user: string, ...args: string[]): Promise<CommandResult> =>
  engine.dockerAt(certificates.host, '--tlsverify', ...certificates.clientFlags(user), ...args);

/** A create with a body in pieces, without a length, as alice. */
async function create(...pieces: string[]): Promise<{ status: number; text: string }> {
  const [key, cert, ca] = await Promise.all(
    (['key', 'cert', 'cacert'] as const).map((what) => readFile(certificates.file('alice', what))),
  );
  const { hostname, port } = new URL(certificates.host);
  const headers = { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' };
  const options: RequestOptions = { hostname, port, key, cert, ca, headers, agent: false, method: 'POST' };
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, path: '/v1.41/containers/create' }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    for (const piece of pieces) sent.write(piece);
    sent.end();
  });
}

test('alice may do what bob may only look at', async () => {
  expect(await as('alice', 'run', '--rm', 'busybox', 'echo', 'hello')).toMatchObject({ code: 0, stdout: 'hello\n' });
  expect((await as('bob', 'ps', '-a')).code).toBe(0);
  const refused = await as('bob', 'run', '--rm', 'busybox', 'true');
  expect(refused.stderr).toContain('authorization denied by plugin policy: bob may only look');
  expect((await as('alice', 'run', '--rm', '--privileged', 'busybox', 'true')).stderr).toContain(
    'authorization denied by plugin policy: nobody may be privileged',
  );
  expect((await as('alice', 'ps', '-aq')).stdout).toBe('');
  const line = engine.log().match(/^.*an authorization plugin denied a request.*$/m)?.[0] ?? '{}';
  expect(JSON.parse(line)).toMatchObject({
    plugin: 'policy',
    caller: 'bob (TLS)',
    method: 'POST',
    uri: expect.stringMatching(/^\/v[\d.]+\/containers\/create/),
  });
});

test('the plugin is told who asks, with which certificate, and is listed', async () => {
  seen.length = 0;
  expect((await as('alice', 'info', '--format', '{{json .Plugins.Authorization}}')).stdout).toBe('["policy"]\n');
  const message = seen.find(({ RequestUri }) => RequestUri?.endsWith('/info'));
  expect(message).toMatchObject({ User: 'alice', UserAuthNMethod: 'TLS', RequestMethod: 'GET' });
  const certificate = await readFile(certificates.file('alice', 'cert'), 'utf8');
  expect(message?.RequestPeerCertificates?.map(textOf)).toEqual([certificate]);
  expect(message?.Caller).toEqual({ Method: 'TLS', User: 'alice', Names: ['DNS:alice.test', 'URI:urn:user:alice'] });
  expect((await engine.docker('ps')).code).toBe(0);
  expect(seen.at(-1)).not.toHaveProperty('User');
});

test('a caller on the socket is known by what the kernel vouches for', async () => {
  // Its own user and groups, in no container.
  const asNobody = ['--reuid=65534', '--regid=65534', '--groups=4242'];
  await chmod(engine.directory, 0o711);
  await chmod(engine.socket, 0o666);
  const answer = await promisify(execFile)('setpriv', [...asNobody, 'docker', '-H', `unix://${engine.socket}`, 'ps']);
  await chmod(engine.socket, 0o660);
  expect(answer.stdout).toContain('CONTAINER ID');
  expect(seen.at(-1)?.Caller).toEqual({
    Method: 'unix',
    User: 'nobody',
    Within: 'host',
    Process: { PID: expect.any(Number), UID: 65534, GID: 65534, Groups: [4242] },
  });

  // The host's own client, run by a container's root below a control group with another container's name.
  const other = (await engine.docker('create', '--name', 'other', 'busybox')).stdout.trim();
  const client = `mkdir /host/sys/fs/cgroup/pids/$(cut -d: -f3 /proc/self/cgroup | head -1)/${other}; chroot /host docker -H unix://${engine.socket} create --name made busybox`;
  const made = await engine.docker('run', '--name', 'agent', '-v', '/:/host', 'busybox', 'sh', '-c', client);
  expect(made).toMatchObject({ code: 0 });
  const [agent] = JSON.parse((await engine.docker('inspect', 'agent')).stdout) as { Id: string }[];
  const caller = {
    Method: 'unix',
    User: '0',
    Within: 'container',
    Container: { ID: agent?.Id, Name: 'agent' },
    Process: { UID: 0, GID: 0 },
  };
  const asked = seen.filter(({ RequestUri }) => RequestUri?.includes('/containers/create?name=made'));
  expect(asked[0]?.Caller).toMatchObject(caller);
  expect(engine.log()).toContain('"caller":"container agent, user 0"');

  // Its event says who asked for it; the end of a container was asked for by nobody.
  const events = await engine.api('GET', `/events?since=1&until=${Math.ceil(Date.now() / 1000)}`);
  const told = events.body
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as EventMessage);
  const of = (action: string, name: string) =>
    told.find(({ Action, Actor }) => Action === action && Actor.Attributes.name === name);
  expect(of('create', 'made')?.Caller).toMatchObject(caller);
  expect(of('die', 'agent')).not.toHaveProperty('Caller');
  await engine.docker('rm', 'made', 'agent', 'other');
});

test.each([
  ['padded with 2 MiB', [`{"pad":"${'x'.repeat(2 << 20)}","Image":"busybox",`, '"HostConfig":{"Privileged":true}}']],
  ['in another case', ['{"image":"busybox","hostconfig":{"privileged":true}}']],
  ['with a key twice', ['{"Image":"busybox","HostConfig":{},"hostConfig":{"Privileged":true}}']],
  ['with escapes', ['{"Image":"busybox","HostConfig":{"\\u0050rivileged":true}}']],
])('a privileged create does not slip past: %s', async (_how, pieces) => {
  expect(await create(...pieces)).toEqual({
    status: 403,
    text: '{"message":"authorization denied by plugin policy: nobody may be privileged"}\n',
  });
  expect((await engine.docker('ps', '-aq')).stdout).toBe('');
});

test('exec and attach are decided before the connection is anybody’s', async () => {
  const { stdout } = await as('alice', 'run', '-d', 'busybox', 'sleep', '1000');
  const id = stdout.trim();
  expect(await as('alice', 'exec', id, 'echo', 'in')).toMatchObject({ code: 0, stdout: 'in\n' });
  expect((await as('bob', 'exec', id, 'true')).stderr).toContain('bob may only look');
  expect((await as('bob', 'attach', '--no-stdin', id)).stderr).toContain('received 403');
  expect((await as('alice', 'rm', '-f', id)).code).toBe(0);
});

test('an answer can be denied', async () => {
  const made = await as('alice', 'create', '--name', 'secret', '--label', 'level=classified', 'busybox');
  expect(made.code).toBe(0);
  expect((await as('alice', 'inspect', 'secret')).stderr).toContain(
    'authorization denied by plugin policy: classified',
  );
  expect((await as('alice', 'rm', 'secret')).code).toBe(0);
});

const cleat = fileURLToPath(new URL('../../bin/cleat', import.meta.url));
async function audit(...args: string[]): Promise<AuditRecord[]> {
  const { stdout } = await promisify(execFile)(cleat, ['audit', '--json', ...args], { maxBuffer: 1 << 24 });
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as AuditRecord]));
}

test('the audit journal has who was denied what, and nothing of bodies; the files are read without the engine', async () => {
  const host = ['-H', `unix://${engine.socket}`];
  await as('alice', 'create', '--name', 'audited', '-e', 'PASSWORD=s3cret', 'busybox');
  await as('bob', 'rm', 'audited');
  await as('alice', 'rm', 'audited');
  const denied = await audit(...host, '--denied', '--user', 'bob', '-n', '1');
  expect(denied).toMatchObject([
    {
      Caller: { Method: 'TLS', User: 'bob' },
      Remote: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      Method: 'DELETE',
      Route: '/containers/{name}',
      Container: { Name: 'audited', ID: expect.stringMatching(/^[0-9a-f]{64}$/) },
      By: 'authorizer policy',
      Reason: 'bob may only look',
      Status: 403,
    },
  ]);
  const of = await audit(...host, '--container', 'audited', '--method', 'POST', '--route', '/containers/create');
  expect(of).toMatchObject([{ Decision: 'allowed', Status: 201, Container: denied[0]?.Container }]);
  const answerDenied = await audit(...host, '--container', 'secret', '--denied');
  expect(answerDenied).toMatchObject([{ Executed: true, Reason: 'classified' }]);
  // Attach and exec are on record when they begin, too.
  const exec = await audit(...host, '--route', '/exec/{id}/start');
  expect(exec.map(({ Decision, Status }) => [Decision, Status])).toEqual(
    expect.arrayContaining([
      ['open', 0],
      ['allowed', 101],
    ]),
  );
  const text = (await promisify(execFile)('sh', ['-c', `cat ${engine.dataRoot}/audit/*`], { maxBuffer: 1 << 24 }))
    .stdout;
  expect(text).not.toMatch(/s3cret|BEGIN CERT/);
  const last = (await audit(...host, '-n', '1'))[0];
  const whole = await audit('--data-root', engine.dataRoot);
  expect(whole.map(({ Seq }) => Seq).slice(0, 3)).toEqual([1, 2, 3]);
  expect(whole.find(({ Seq }) => Seq === last?.Seq)).toEqual(last);
});

test('without its plugin the engine obeys nobody, until it is back', async () => {
  await plugin.close();
  expect(await engine.api('GET', '/_ping')).toMatchObject({
    status: 500,
    body: expect.stringContaining('plugin policy failed with error: '),
  });
  plugin = await servePolicy();
  await expect.poll(async () => (await as('alice', 'ps')).code).toBe(0);
});

test('plugins come and go by SIGHUP', async () => {
  await using own = await startEngine({ busybox: false, flags: [`--plugin-dir=${scratch}`] });
  await own.kill('SIGTERM');
  const configure = (plugins: string[]) =>
    writeFileSync(join(own.directory, 'daemon.json'), JSON.stringify({ 'authorization-plugins': plugins }));
  configure([]);
  await own.restart();
  const said = async () => (await own.docker('ps', '-q')).stderr.trim();
  expect(await said()).toBe('');
  configure(['policy', 'nobody']);
  process.kill(own.pid, 'SIGHUP');
  await expect.poll(said).toContain('plugin nobody failed with error: plugin "nobody" not found');
  configure(['policy']);
  process.kill(own.pid, 'SIGHUP');
  await expect.poll(said).toBe('');
});
