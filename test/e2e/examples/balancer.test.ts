import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, test as always, beforeAll, expect } from 'vitest';
import { type Answer, balancerKinds, RunningBalancer } from '../support/balancer.js';
import { clientOf, removeAll } from '../support/client.js';
import { type Engine, startEngine } from '../support/engine.js';
import { Program } from '../support/program.js';

const test = always.skipIf(balancerKinds.length === 0);

/** examples/balancer: nginx and HAProxy side by side, on one engine, with the same containers. */
let engine: Engine;
let base: string;
let certificates: string;
let hooks: string;
let balancers: RunningBalancer[];
const { ok, refused } = clientOf(() => engine);

beforeAll(async () => {
  base = await mkdtemp('/tmp/cleat-balancer-');
  certificates = join(base, 'certificates');
  mkdirSync(certificates);
  hooks = join(base, 'hooks.yaml');
  writeFileSync(hooks, 'hooks: []\n');
  engine = await startEngine({ flags: ['--hooks', hooks] });
  const starting = balancerKinds.map((kind) => RunningBalancer.start(kind, engine, base, certificates));
  balancers = await Promise.all(starting);
});
afterEach(async (context) => {
  if (context.task.result?.state === 'fail')
    for (const { kind, said } of balancers) console.log(kind, said.slice(-4_000));
  await removeAll(engine);
});
afterAll(async () => {
  for (const balancer of balancers ?? []) await balancer[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
  await rm(base, { recursive: true, force: true });
});

/** The same with either, at the same time. */
async function onEach(work: (balancer: RunningBalancer) => Promise<unknown>): Promise<void> {
  await Promise.all(balancers.map(work));
}

/** Says its name at `/`, what was asked of it at `/cgi-bin/asked`, and takes a second for `/cgi-bin/slow`. */
const script = `mkdir -p /www/cgi-bin /www/api
printf %s "$NAME" >/www/index.html; printf 'api %s' "$NAME" >/www/api/index.html
printf '#!/bin/sh\nsleep 1; printf "Content-Type: text/plain\\n\\nslow %%s" $NAME' >/www/cgi-bin/slow
printf '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n"; env; cat' >/www/cgi-bin/asked
chmod +x /www/cgi-bin/*; cd /www; exec httpd -f -p 80 -h /www`;

type Labels = Readonly<Record<string, string>>;

async function run(name: string, labels: Labels, flags: readonly string[], command: string): Promise<void> {
  const given = Object.entries(labels).flatMap(([label, value]) => ['--label', `interlock.${label}=${value}`]);
  const usual = ['-d', '--name', name, '-e', `NAME=${name}`, '--stop-timeout=2', '--expose=80'];
  await ok('run', ...usual, ...given, ...flags, 'busybox', 'sh', '-c', command);
}

const web = (name: string, labels: Labels, ...flags: string[]) => run(name, labels, flags, script);

/** A container on the host's network, where a server of this test listens in its place. */
async function standsFor(server: Server, name: string, labels: Labels): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await run(name, { ...labels, port: String(port) }, ['--network=host'], 'exec sleep 1000');
}

const is = (expected: { status?: number; body?: string }) => (answer: Answer) =>
  (expected.status ?? 200) === answer.status && (expected.body ?? answer.body) === answer.body;

/** Until an answer is as expected, and nginx has no process of an older file that accepts connections. */
async function comes(
  one: RunningBalancer,
  ask: () => Promise<Answer>,
  expected: { status?: number; body?: string },
): Promise<void> {
  const hasCome = async () => is(expected)(await ask()) && (await one.figure('balancer_applying')) === 0;
  await expect.poll(hasCome).toBe(true);
}

test('requests go where labels say', async () => {
  await onEach((one) => expect.poll(() => one.page('/health').catch(() => undefined)).toMatchObject({ status: 200 }));
  await web('shop', { hostname: 'shop', domain: 'x', 'alias_domain.1': 'www.x' });
  await web('wild', { domain: '*.x' });
  await web('api', { hostname: 'shop', domain: 'x', context_root: '/api' });
  await web('cut', { hostname: 'shop', domain: 'x', context_root: '/cut', context_root_rewrite: 'true' });
  await web('any', { context_root: '/cgi-bin' });
  await ok('network', 'create', 'back');
  await web('back', { domain: 'back.x', network: 'back' });
  await onEach(async (one) => {
    await comes(one, () => one.ask('shop.x'), { body: 'shop' });
    await comes(one, () => one.ask('www.x'), { body: 'shop' });
    await comes(one, () => one.ask('SHOP.x:80'), { body: 'shop' });
    await comes(one, () => one.ask('other.x'), { body: 'wild' });
    await comes(one, () => one.ask('shop.x', '/api/'), { body: 'api api' });
    await comes(one, () => one.ask('shop.x', '/apis'), { status: 404 });
    await comes(one, () => one.ask('shop.x', '/cut/'), { body: 'cut' });
    await comes(one, () => one.ask('shop.x', '/cut/api/?a=b'), { body: 'api cut' });
    await comes(one, () => one.ask('nobody'), { status: 503 });
    expect(await one.ask('shop.x', '/cut?a=%20b')).toMatchObject({
      status: 301,
      headers: { location: '/cut/?a=%20b' },
    });
    const asked = { method: 'POST', body: 'a body', headers: { 'X-Forwarded-For': '192.0.2.1' } };
    await comes(one, () => one.ask('nobody', '/cgi-bin/asked'), { status: 200 });
    const { body } = await one.ask('nobody', '/cgi-bin/asked?q=1', asked);
    expect(body).toContain('QUERY_STRING=q=1');
    expect(body).toContain('HTTP_X_FORWARDED_FOR=192.0.2.1, 127.0.0.1');
    expect(body).toContain('HTTP_X_FORWARDED_PROTO=http');
    expect(body).toMatch(/a body$/);
    if (one.kind === 'nginx') await closesWith(one);
    // Its network is not there yet.
    await comes(one, () => one.ask('back.x'), { status: 503 });
  });
  await onEach((one) => expect.poll(() => one.said).toContain('it is not in network back, which its label names'));
  await ok('network', 'connect', 'back', 'back');
  await onEach((one) => comes(one, () => one.ask('back.x'), { body: 'back' }));
  await ok('rm', '-f', 'back');
  await ok('network', 'rm', 'back');
});

/** Just before a reload nginx answers as always, bodies included, and ends each connection. */
async function closesWith(balancer: RunningBalancer): Promise<void> {
  const { directory } = balancer;
  // All that there is has been reloaded: the other names, and that of the container which cannot be reached.
  await expect.poll(() => balancer.figure('balancer_backends_in_service')).toBe(5);
  await expect.poll(() => balancer.figure('balancer_sites')).toBe(5);
  const ask: RunningBalancer['ask'] = (...asked) => balancer.ask(...asked);
  const [name = ''] = /closing-[0-9a-f]+/.exec(readFileSync(join(directory, 'run/current.conf'), 'utf8')) ?? [];
  const post = () => ask('nobody', '/cgi-bin/asked?q=1', { method: 'POST', body: 'a body' });
  const agent = { Connection: 'keep-alive' };
  writeFileSync(join(directory, 'run', name), '');
  expect((await ask('shop.x', '/cut/api/?a=b', { headers: agent })).headers.connection).toBe('close');
  expect((await post()).body).toMatch(/QUERY_STRING=q=1[\s\S]*a body$/);
  rmSync(join(directory, 'run', name));
  expect((await ask('shop.x', '/cut/api/?a=b', { headers: agent })).headers.connection).toBe('keep-alive');
}

/** Certificates with their keys, by the name of the file. */
function certificate(name: string, host = name): void {
  const paths = ['-keyout', join(certificates, `${name}.key`), '-out', join(certificates, `${name}.crt`)];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...key, ...paths, '-days', '2', '-subj', `/CN=${host}`], {
    stdio: 'ignore',
  });
}

test('one wrong container costs only itself, and is named', async () => {
  certificate('good.x');
  certificate('other.x');
  copyFileSync(join(certificates, 'other.x.key'), join(certificates, 'wrong.key'));
  writeFileSync(join(certificates, 'garbage.crt'), 'no certificate');
  const bad: [name: string, labels: Labels, complaint: string][] = [
    ['inject', { domain: 'a.x; return 200 pwned' }, 'it takes a host name'],
    ['lines', { domain: 'a.x', context_root: '/x\n    bind *:81' }, 'it takes a path'],
    ['dollar', { domain: 'a.x', ssl_cert: '$document_root' }, 'it takes the name of a file'],
    ['mixed', { domain: 'good.x', ssl: 'true', ssl_cert: 'good.x.crt', ssl_cert_key: 'wrong.key' }, 'ssl_cert'],
    ['garbage', { domain: 'garbage.x', ssl_cert: 'garbage.crt' }, 'the certificate for garbage.x cannot be used'],
    ['missing', { domain: 'missing.x', ssl: 'true' }, 'there is no certificate for missing.x'],
    ['plain', { domain: 'good.x' }, "its ssl is 'none', but 'terminated' with container good"],
    ['wrong', { domain: 'w.x', ssl_cert: 'good.x.crt', ssl_cert_key: 'wrong.key' }, 'the key is another certificate’s'],
  ];
  await web('good', { domain: 'good.x', ssl: 'true' });
  await Promise.all(bad.map(([name, labels]) => web(name, labels)));
  await onEach(async (one) => {
    await comes(one, () => one.askTls('good.x'), { body: 'good' });
    await expect.poll(() => one.figure('balancer_backends_refused')).toBe(bad.length);
    for (const [name, , complaint] of bad) {
      const told = one.said.split('\n').filter((line) => line.includes(`container ${name} is not served as it asks`));
      expect({ name, told: told.join() }).toEqual({ name, told: expect.stringContaining(complaint) });
    }
    expect(await one.ask('a.x')).toMatchObject({ status: 503 });
    expect(await one.figure('balancer_reload_failures_total')).toBe(0);
    expect((await one.page('/health')).status).toBe(200);
  });
});

test('TLS is terminated with the certificate of the name, or passed through; websockets', async () => {
  certificate('safe.x');
  certificate('pass.x', 'the container itself');
  const pem = (what: string) => execFileSync('cat', [join(certificates, `pass.x.${what}`)]);
  const own = createTlsServer({ cert: pem('crt'), key: pem('key') }, (_request, response) => response.end('passed'));
  const sockets = createHttpServer((_request, response) => response.end('chat')).on('upgrade', (request, socket) => {
    socket.on('error', () => {}); // The test ends it.
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
    socket.write([...head, `Sec-WebSocket-Accept: ${accept}`, '', ''].join('\r\n'));
    socket.pipe(socket);
  });
  try {
    await web('safe', { domain: 'safe.x', ssl_only: 'true' });
    await standsFor(own, 'pass', { domain: 'pass.x', ssl_passthrough: 'true' });
    await standsFor(sockets, 'chat', { domain: 'chat.x', 'websocket_endpoint.0': '/chat' });
    await onEach(async (one) => {
      await comes(one, () => one.askTls('safe.x').catch(() => ({ status: 0, body: '', headers: {} })), {
        body: 'safe',
      });
      expect((await one.askTls('safe.x')).name).toBe('safe.x');
      expect((await one.askTls('safe.x', '/cgi-bin/asked')).body).toMatch(/HTTP_X_FORWARDED_FOR=127.0.0.1$/m);
      const where = `https://safe.x:${one.tlsPort}/a?b`;
      // The workers of a reload take up one listener after the other.
      const redirected = { status: 301, headers: { location: where } };
      await expect.poll(() => one.ask('safe.x', '/a?b')).toMatchObject(redirected);
      await comes(one, () => one.askTls('pass.x').catch(() => ({ status: 0, body: '', headers: {} })), {
        body: 'passed',
      });
      expect((await one.askTls('pass.x')).name).toBe('the container itself');
      await expect(one.askTls('nobody.x')).rejects.toThrow();
      await comes(one, () => one.ask('chat.x'), { body: 'chat' });
      await expect.poll(() => talk(one.port, 'hello')).toBe('hello');
    });
  } finally {
    own.close();
    sockets.close();
  }
});

/** Says something over a websocket's connection. @returns what came back */
function talk(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.setTimeout(60_000, () => socket.destroy(new Error(`no answer but ${answer}`)));
    socket.on('error', reject).setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      if (answer === '') socket.write(text);
      answer += chunk;
      const [, echo = ''] = answer.split('\r\n\r\n');
      if (echo.length < text.length) return;
      socket.destroy();
      resolve(echo);
    });
    const head = ['GET /chat HTTP/1.1', 'Host: chat.x', 'Connection: Upgrade', 'Upgrade: websocket'];
    const more = ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13', '', ''];
    socket.write([...head, ...more].join('\r\n'));
  });
}

test('a container that ends gets no new requests, and finishes those that it has', async () => {
  const labels = { domain: 'web.x' };
  await web('first', labels);
  await onEach((one) => comes(one, () => one.ask('web.x'), { body: 'first' }));
  const slow = balancers.map((one) => one.ask('web.x', '/cgi-bin/slow'));
  await web('second', labels);
  await onEach((one) => comes(one, () => one.ask('web.x'), { body: 'second' }));
  const stopped = ok('stop', 'first');
  await onEach(async (one) => {
    await expect.poll(() => one.figure('balancer_backends_in_service')).toBe(1);
    const answers = await Promise.all(Array.from({ length: 8 }, () => one.ask('web.x')));
    expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(['second']));
  });
  expect((await Promise.all(slow)).map(({ body }) => body)).toEqual(slow.map(() => 'slow first'));
  await stopped;
  // The only one serves until it ends.
  await ok('kill', '-s', 'TERM', 'second');
  await onEach((one) => comes(one, () => one.ask('web.x'), { body: 'second' }));
});

test('only who is well is in service', async () => {
  const check = [
    '--health-cmd',
    'test -e /well',
    '--health-interval=300ms',
    '--health-retries=1',
    '--health-start-period=0s',
  ];
  const figure = (count: number) =>
    onEach((one) => expect.poll(() => one.figure('balancer_backends_in_service')).toBe(count));
  await web('ill', { domain: 'web.x' }, ...check);
  await web('asked', { domain: 'asked.x', health_check: '/api/', health_check_interval: '200' });
  await figure(1);
  await ok('exec', 'ill', 'touch', '/well');
  await figure(2);
  await ok('exec', 'ill', 'rm', '/well');
  await ok('exec', 'asked', 'rm', '-r', '/www/api');
  await figure(0);
  await onEach((one) => comes(one, () => one.ask('asked.x'), { status: 503 }));
  await ok('exec', 'asked', 'sh', '-c', 'mkdir /www/api; touch /www/api/index.html');
  await figure(1);
  await ok('pause', 'asked');
  await figure(0);
  await ok('unpause', 'asked');
  await figure(1);
});

test('traffic goes on when the engine, the balancer or the proxy is killed', async () => {
  const labels = { domain: 'web.x' };
  await web('one', labels);
  await onEach((one) => comes(one, () => one.ask('web.x'), { body: 'one' }));
  const reloads = await Promise.all(balancers.map((one) => one.figure('balancer_reloads_total')));
  await engine.kill('SIGKILL');
  await onEach((one) => comes(one, () => one.ask('web.x'), { body: 'one' }));
  await onEach((one) => one.kill());
  await onEach((one) => expect.poll(() => one.ask('web.x')).toMatchObject({ status: 200, body: 'one' }));
  const pids = balancers.map(({ proxyPid }) => proxyPid);
  await onEach(async (one) => one.again());
  await engine.restart();
  await onEach(async (one) => {
    await expect.poll(() => one.page('/health').catch(() => undefined)).toMatchObject({ status: 200 });
    // It found what it would have made.
    await expect.poll(() => one.figure('balancer_backends_in_service')).toBe(1);
    expect(await one.figure('balancer_reloads_total')).toBe(0);
  });
  expect(reloads.every((count) => count > 0)).toBe(true);
  expect(balancers.map(({ proxyPid }) => proxyPid)).toEqual(pids);
  await web('two', labels);
  await onEach((one) => comes(one, () => one.ask('web.x'), { body: 'two' }));
  for (const { proxyPid } of balancers) process.kill(proxyPid, 'SIGKILL');
  await onEach(async (one) => {
    await expect.poll(() => one.said).toContain('has ended, and is started again');
    await comes(one, () => one.ask('web.x').catch(() => ({ status: 0, body: '', headers: {} })), { body: 'one' });
  });
});

test('with the hook, a container that is killed finishes first; one that is not killed stays in service', async () => {
  const entries = balancerKinds.map((name) => `  - name: ${name}\n    on-failure: open\n`);
  writeFileSync(hooks, `hooks:\n${entries.join('')}`);
  process.kill(engine.pid, 'SIGHUP');
  await expect.poll(() => engine.log()).toContain('hooks');
  const labels = { domain: 'web.x' };
  await web('first', labels);
  await onEach((one) => comes(one, () => one.ask('web.x'), { body: 'first' }));
  const slow = balancers.map((one) => one.ask('web.x', '/cgi-bin/slow'));
  await web('second', labels);
  await onEach((one) => comes(one, () => one.ask('web.x'), { body: 'second' }));
  await ok('rm', '-f', 'first');
  expect((await Promise.all(slow)).map(({ body }) => body)).toEqual(slow.map(() => 'slow first'));
  await web('third', labels);
  await onEach((one) => expect.poll(() => one.figure('balancer_backends_in_service')).toBe(2));
  await refused('kill', '-s', 'NONE', 'third');
  await ok('kill', '-s', 'USR1', 'third');
  await onEach(async (one) => expect(await one.figure('balancer_backends_in_service')).toBe(2));
});

/** In CI a few seconds; longer for a night: CLEAT_BALANCER_SECONDS. */
const seconds = Number(process.env.CLEAT_BALANCER_SECONDS ?? 5);

test(
  'under load, with containers coming and going, not one request fails',
  async () => {
    const labels = { domain: 'web.x' };
    await web('web0', labels);
    await web('web1', labels);
    await onEach((one) => expect.poll(() => one.figure('balancer_backends_in_service')).toBe(2));
    const args = ['-t1', '-c8', `-d${seconds}s`, '--timeout', '20s', '-H', 'Host: web.x'];
    const load = balancers.map((one) => new Program('wrk', [...args, `http://127.0.0.1:${one.port}/`]));
    const goes = [['stop', '-t1'], ['rm', '-f'], ['restart', '-t0'], ['kill']];
    let replaced = 0;
    while (load.some((one) => !one.ended)) {
      const [going = []] = [goes[replaced % goes.length]];
      await web(`web${replaced + 2}`, labels);
      await onEach((one) => expect.poll(() => one.figure('balancer_backends_in_service')).toBe(3));
      await ok(...going, `web${replaced}`);
      if (going[0] === 'restart') await ok('rm', '-f', `web${replaced}`);
      await onEach((one) => expect.poll(() => one.figure('balancer_backends_in_service')).toBe(2));
      replaced++;
    }
    expect(replaced).toBeGreaterThan(0);
    for (const [index, { said }] of load.entries()) {
      expect({ kind: balancers[index]?.kind, said }).toEqual({
        kind: balancers[index]?.kind,
        said: expect.not.stringMatching(/Socket errors|Non-2xx/),
      });
      // How many there are is the machine's matter: here, that each was served while backends changed.
      expect(Number(/(\d+) requests in/.exec(said)?.[1])).toBeGreaterThan(replaced);
    }
  },
  300_000 + seconds * 1_000,
);
