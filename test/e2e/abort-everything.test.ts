import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '@cleat/protocol/log';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Route } from '../../api/http/router.js';
import type { Method } from '../../api/http/target.js';
import { apiRoutes } from '../../api/routes.js';
import { fakeServices } from '../../api/testing/fakes.js';
import { busyboxTar } from './support/busybox.js';
import { type Engine, startEngine } from './support/engine.js';
import { managedPlugin } from './support/managed-plugin.js';
import { oneOfEach } from './support/one-of-each.js';
import { randomFrom } from './support/random.js';
import { inParallel, type Visit, visit } from './support/raw-client.js';
import { descriptorsOf, identityOf, unexpectedIn } from './support/same-process.js';

/**
 * Nothing that a client does ends the engine: every stream is aborted, both ways, at many places, and every route is
 * asked nonsense, all on one engine, which is the same process at the end and holds nothing open.
 */
let engine: Engine;
let identity: string;
let tar: Buffer;
let plugin: Buffer;
beforeAll(async () => {
  engine = await startEngine();
  tar = await busyboxTar();
  const talkative = 'i=0; while [ $i -lt 3000 ]; do echo line $i of many; i=$((i+1)); done; exec sleep 1000000';
  for (const [name, ...flags] of [
    ['pipe', '-i'],
    ['term', '-it'],
  ]) {
    await engine.docker('run', '-d', '--name', name ?? '', ...flags, 'busybox', 'sh', '-c', talkative);
  }
  const directory = join(engine.directory, 'plugin');
  await mkdir(directory);
  const place = managedPlugin(directory);
  await engine.docker('plugin', 'create', 'whole', place);
  plugin = execFileSync('tar', ['-C', place, '-c', '.'], { maxBuffer: 64 * 1024 * 1024 });
  identity = identityOf(engine.pid);
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

async function expectUnharmed(before: number): Promise<void> {
  expect(identityOf(engine.pid)).toBe(identity);
  const names = (await engine.docker('ps', '--format', '{{.Names}}')).stdout.split('\n');
  expect(names).toEqual(expect.arrayContaining(['pipe', 'term']));
  expect((await engine.docker('exec', 'pipe', 'echo', 'well')).stdout).toBe('well\n');
  // Connections of helpers and of the client's own requests come and go.
  await expect.poll(() => descriptorsOf(engine.pid)).toBeLessThan(before + 8);
  expect(unexpectedIn(engine)).toEqual([]);
}

const routes = apiRoutes(fakeServices({}), { log: silentLogger, version: '' });
const nameOf = ({ method, path }: Route): string => `${method} ${path}`;

/** The request to each streaming route: its targets, and a body where the route takes one. */
const streaming: Record<string, { targets: string[]; body?: () => Buffer; json?: () => Promise<string> }> = {
  'GET /events': { targets: ['/events', '/events?since=1'] },
  'GET /cleat/audit': { targets: ['/cleat/audit', '/cleat/audit?follow=1'] },
  'GET /containers/:name/logs': {
    targets: ['/containers/pipe/logs?stdout=1', '/containers/term/logs?stdout=1&follow=1'],
  },
  'GET /containers/:name/stats': { targets: ['/containers/pipe/stats', '/containers/pipe/stats?stream=0'] },
  'GET /containers/:name/export': { targets: ['/containers/pipe/export'] },
  'GET /containers/:name/archive': {
    targets: ['/containers/pipe/archive?path=/bin', '/containers/pipe/archive?path=/'],
  },
  'PUT /containers/:name/archive': { targets: ['/containers/pipe/archive?path=/tmp'], body: () => tar },
  'POST /containers/:name/wait': { targets: ['/containers/pipe/wait', '/containers/pipe/wait?condition=next-exit'] },
  'GET /images/get': { targets: ['/images/get?names=busybox'] },
  'GET /images/:name/get': { targets: ['/images/busybox/get'] },
  'POST /images/load': { targets: ['/images/load', '/images/load?quiet=0'], body: () => tar },
  'POST /images/create': {
    targets: ['/images/create?fromSrc=-', '/images/create?fromImage=127.0.0.1:9/x'],
    body: () => tar,
  },
  'POST /images/:name/push': { targets: ['/images/127.0.0.1:9/x/push'] },
  'POST /build': { targets: ['/build'], body: () => tar },
  'POST /plugins/create': { targets: ['/plugins/create?name=aborted'], body: () => plugin },
  'POST /plugins/pull': { targets: ['/plugins/pull?remote=127.0.0.1:9/x'], json: async () => '[]' },
  'POST /plugins/:name/upgrade': {
    targets: ['/plugins/whole/upgrade?remote=127.0.0.1:9/x'],
    json: async () => '[]',
  },
  'POST /plugins/:name/push': { targets: ['/plugins/whole/push'] },
  'GET /cleat/plugins/:name/archive': { targets: ['/cleat/plugins/whole/archive'] },
  'POST /session': { targets: ['/session'] },
  'POST /grpc': { targets: ['/grpc'] },
  'POST /containers/:name/attach': {
    targets: [
      '/containers/pipe/attach?stream=1&stdin=1&stdout=1',
      '/containers/term/attach?logs=1&stream=1&stdout=1&stdin=1',
    ],
    body: () => Buffer.from('typed\n'.repeat(1000)),
  },
  'GET /containers/:name/attach/ws': { targets: ['/containers/pipe/attach/ws?logs=1&stream=1&stdout=1&stdin=1'] },
  'POST /exec/:id/start': { targets: ['/exec/ID/start'], json: async () => '{"Detach":false}' },
};

test('the table below has every route that streams', () => {
  const marked = routes.filter((route) => route.streams !== undefined || route.hijacks).map(nameOf);
  expect(Object.keys(streaming).sort()).toEqual(marked.sort());
});

const upgrade = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';
const h2c = 'Connection: Upgrade\r\nUpgrade: h2c\r\n';
const webSocket =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const chunk = (data: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]);

/** Execs are used once. */
async function execId(container: string): Promise<string> {
  const request = {
    AttachStdin: true,
    AttachStdout: true,
    Tty: container === 'term',
    Cmd: ['sh', '-c', container === 'term' ? 'echo one; sleep 1; echo two' : 'echo one; cat; echo two'],
  };
  const body = JSON.stringify(request);
  const headers = `Host: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
  const text = `POST /containers/${container}/exec HTTP/1.1\r\n${headers}\r\n\r\n${body}`;
  // Behind all the visitors that have left: on a busy machine that takes a while.
  const answer = await visit(engine.socket, { send: [text], read: 1_000_000, ms: 100_000, leave: 'destroy' });
  const { Id } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as { Id: string };
  return Id;
}

test('every stream is aborted, both ways, early and late', async () => {
  const before = descriptorsOf(engine.pid);
  const visits: (() => Promise<Visit>)[] = [];
  const leaves = ['destroy', 'end', 'reset'] as const;
  for (const [name, { targets, body, json }] of Object.entries(streaming)) {
    const [method] = name.split(' ') as [Method];
    const hijacks = routes.some((route) => nameOf(route) === name && route.hijacks);
    for (const target of targets) {
      const head = (headers: string) => `${method} ${target} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
      const asks = hijacks ? (name.endsWith('/ws') ? [webSocket] : ['', upgrade, h2c]) : [''];
      for (const leave of leaves) {
        for (const ask of asks) {
          // The answer, given up after some bytes.
          for (const read of [0, 1, 1000, 70_000]) {
            visits.push(async () => {
              const text = json ? await json() : undefined;
              const whole = body && method !== 'POST' ? body().subarray(0, 50_000) : undefined;
              const headers = text
                ? `Content-Type: application/json\r\nContent-Length: ${text.length}\r\n`
                : whole
                  ? `Content-Length: ${whole.length}\r\n`
                  : '';
              const id = target.includes('ID') ? await execId(read % 2 ? 'pipe' : 'term') : '';
              return { send: [head(ask + headers).replace('ID', id), text ?? whole ?? ''], read, ms: 40, leave };
            });
          }
          if (!body) continue;
          // The body, given up after some bytes, in either framing.
          for (const size of [0, 1, 100, 513, 300_000]) {
            for (const ms of [0, 20]) {
              const part = body().subarray(0, size);
              visits.push(async () => ({
                send: [head(`${ask}Content-Length: 1000000\r\nContent-Type: application/x-tar\r\n`), part],
                read: 1_000_000,
                ms,
                leave,
              }));
              visits.push(async () => ({
                send: [head(`${ask}Transfer-Encoding: chunked\r\n`), chunk(part).subarray(0, size + 3)],
                read: 1_000_000,
                ms,
                leave,
              }));
            }
          }
        }
      }
    }
  }
  expect(visits.length).toBeGreaterThan(350);
  await inParallel(visits, 24, async (make) => {
    await visit(engine.socket, await make());
  });
  await expectUnharmed(before);
});

const oddNames = [
  'x'.repeat(5000),
  'a%00b',
  '%ff',
  '..',
  '%2e%2e%2f%2e%2e',
  'a b',
  '%F0%9F%9A%A2',
  '-x',
  'zz0',
  '$(id)',
  'nosuch',
  '__proto__',
  'constructor',
] as const;
const oddValues = [
  '',
  '1',
  '-1',
  '99999999999999999999',
  '1e9',
  'NaN',
  'true',
  'null',
  '{}',
  '[]',
  '{"label":["x"]}',
  '{"a":{"b":1}}',
  '%00',
  '%',
  'x'.repeat(5000),
  '%ff%fe',
  '../..',
  '1.5',
  '0x10',
] as const;
const oddBodies = [
  '',
  '{',
  '[]',
  'null',
  '"x"',
  '1',
  '{}',
  '{"Image":1}',
  '{"Image":"busybox","HostConfig":{"Binds":"x"}}',
  '{"Cmd":{}}',
  '\0\0\0',
  'x'.repeat(100_000),
  '[[[[',
  `${'['.repeat(5000)}`,
  '{"a":1}{"b":2}',
  '{"Name":"a\\u0000b"}',
  `{"Name":"${'n'.repeat(5000)}"}`,
  '{"Memory":1e400}',
] as const;
const oddHeaders = [
  '',
  'Content-Type: text/plain\r\n',
  'X-Registry-Auth: %%%\r\n',
  'X-Registry-Auth: bnVsbA==\r\n',
  'Upgrade: h2c\r\nConnection: Upgrade\r\n',
  'Expect: 100-continue\r\n',
  'Expect: more\r\n',
  `X: ${'y'.repeat(30_000)}\r\n`,
  'Accept-Encoding: gzip\r\n',
  'Range: bytes=0-1\r\n',
  'Content-Encoding: gzip\r\n',
] as const;
const queryNames = [
  'filters',
  'all',
  'limit',
  'size',
  'since',
  'until',
  'tail',
  'signal',
  't',
  'h',
  'w',
  'name',
  'path',
  'names',
  'ps_args',
  'stream',
  'stdout',
  'stderr',
  'condition',
  'platform',
  'tag',
  'repo',
  'detachKeys',
  'force',
  'type',
  'changes',
  'container',
] as const;

/** Words of Node's, or of its inside, that no client should read. */
const foreignWords =
  /\bat .*\.[jt]s:\d|TypeError|RangeError|SyntaxError|ERR_[A-Z]|Cannot read prop|is not a function|is not iterable|must be of type|null bytes|\bE[A-Z]{4,}: |JSON at position|Unexpected token|Invalid string length/;

test('every route is asked nonsense: no answer is a failure of ours, or in Node’s words', async () => {
  const before = descriptorsOf(engine.pid);
  const pick = randomFrom(8);
  const failures: string[] = [];
  const requests = routes.flatMap((route) =>
    Array.from({ length: 14 }, (_none, turn) => {
      const method = turn === 0 ? pick(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'TRACE']) : route.method;
      const known =
        turn % 3 === 0 && route.method !== 'DELETE' && !/kill|stop|restart|pause|rename|update/.test(route.path);
      const target = route.path.replace(/:\w+/g, () => (known ? 'pipe' : pick(oddNames)));
      const query = Array.from({ length: turn % 4 }, () => `${pick(queryNames)}=${pick(oddValues)}`).join('&');
      const version = pick(['', '', '/v1.20', '/v1.24', '/v1.41', '/v1.51', '/v9.99', '/v0']);
      const body = pick(oddBodies);
      const headers = `${pick(oddHeaders)}${turn % 2 ? 'Content-Type: application/json\r\n' : ''}`;
      const head = `${method} ${version}${target}${query && `?${query}`} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`;
      return `${head}${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    }),
  );
  await inParallel(requests, 12, async (request) => {
    const answer = await visit(engine.socket, { send: [request], read: 200_000, ms: 400, leave: 'destroy' });
    const shown = `${request.slice(0, 160)} … ${request.slice(-60)} → ${answer.slice(0, 60)} … ${answer.slice(-300)}`;
    // The registry that nobody named is not there, and Docker's status for that is 500, too.
    const unreachable = /dial tcp: lookup registry-1\.docker\.io/.test(answer);
    if (
      (/^HTTP\/1\.1 500/.test(answer) && !unreachable) ||
      (/^HTTP\/1\.1 [45]/.test(answer) && foreignWords.test(answer))
    ) {
      failures.push(JSON.stringify(shown));
    }
  });
  expect(failures.sort()).toEqual([]);
  await expectUnharmed(before);
});

test('requests behind one another on one connection, left at any moment in any way', async () => {
  const before = descriptorsOf(engine.pid);
  const pick = randomFrom(31);
  const visits: Visit[] = oneOfEach.flatMap((first) =>
    // Half of all pairs, for the sake of time.
    oneOfEach
      .filter(() => pick([true, false]))
      .map((second): Visit => {
        const pieces = [first, second, ...pick([[], [], [pick(oneOfEach)]])];
        return {
          send: pick([true, false]) ? [pieces.join('')] : pieces,
          gap: pick([1, 3, 20]),
          read: pick([1, 400, 70_000, 1_000_000]),
          ms: pick([2, 10, 60]),
          leave: pick(['destroy', 'end', 'reset']),
        };
      }),
  );
  await inParallel(visits, 24, async (one) => {
    await visit(engine.socket, one);
  });
  await expectUnharmed(before);
});

test('without descriptors left the engine is the same one, serves again, and has missed no exit', async () => {
  const before = descriptorsOf(engine.pid);
  const [, limits = ''] =
    execFileSync('prlimit', ['--pid', String(engine.pid), '--nofile', '--noheadings', '-o', 'SOFT,HARD'], {
      encoding: 'utf8',
    }).match(/(\d+\s+\d+)/) ?? [];
  const [soft, hard] = limits.split(/\s+/);
  await engine.docker('run', '-d', '--name', 'brief', 'busybox', 'sh', '-c', 'sleep 2; exit 7');
  execFileSync('prlimit', ['--pid', String(engine.pid), `--nofile=${before + 60}:${hard}`]);
  const readers: Socket[] = [];
  try {
    for (let index = 0; index < 400; index++) {
      const socket = connect(engine.socket);
      socket.on('error', () => {});
      socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
      readers.push(socket);
    }
    // The container ends, timers look and find no descriptor.
    await sleep(3500);
    expect(identityOf(engine.pid)).toBe(identity);
  } finally {
    for (const socket of readers) socket.destroy();
    execFileSync('prlimit', ['--pid', String(engine.pid), `--nofile=${soft}:${hard}`]);
  }
  await expect
    .poll(async () => (await engine.docker('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'brief')).stdout)
    .toBe('exited 7\n');
  await engine.docker('rm', '-f', 'brief');
  expect(identityOf(engine.pid)).toBe(identity);
  expect((await engine.docker('exec', 'pipe', 'echo', 'well')).stdout).toBe('well\n');
  await expect.poll(() => descriptorsOf(engine.pid)).toBeLessThan(before + 12);
});
