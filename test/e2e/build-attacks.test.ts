import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { hasNewerClients, newerClientsIn } from './support/newer-clients.js';

/** A Dockerfile, its context, the servers that it names and the images that it begins with are somebody else's. */
let engine: Engine;
/** A directory of the host that no build may get to. */
let outside: string;
let context: string;
const { ok } = clientOf(() => engine);
const classic = { DOCKER_BUILDKIT: '0' };

beforeAll(async () => {
  engine = await startEngine();
  outside = mkdtempSync('/tmp/cleat-e2e-outside-');
  writeFileSync(join(outside, 'host-secret'), 'of the host');
  writeFileSync(join(outside, 'passwd'), 'intruder:x:0:0::/:/bin/sh\n');
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  rmSync(outside, { recursive: true, force: true });
});
beforeEach(() => {
  context = mkdtempSync(join(engine.directory, 'context-'));
});

async function build(text: string, ...flags: string[]) {
  writeFileSync(join(context, 'Dockerfile'), text);
  const { code, stdout, stderr } = await engine.docker('build', ...flags, context, { env: classic });
  return { code, said: stdout + stderr };
}

/** Files below the engine's directories that contain a text. */
const holding = (text: string): string =>
  execFileSync('sh', ['-c', 'grep -rlF -- "$0" "$@" || true', text, engine.dataRoot, engine.execRoot], {
    encoding: 'utf8',
  });

const leading: [what: string, steps: string][] = [
  ['WORKDIR through a link', 'RUN ln -s $OUTSIDE /w\nWORKDIR /w/made'],
  ['WORKDIR through a relative link', 'RUN ln -s ../../../../../..$OUTSIDE /w\nWORKDIR /w/made'],
  ['COPY to a link', 'RUN ln -s $OUTSIDE /out\nCOPY file /out/'],
  ['COPY over a link', 'RUN ln -s $OUTSIDE/host-secret /out\nCOPY file /out'],
  ['ADD of an archive to a link', 'RUN ln -s $OUTSIDE /out\nADD file.tar /out/'],
  ['an archive with a link of its own', 'ADD led.tar /'],
  ['COPY --from of a link', 'FROM busybox AS b\nRUN ln -s $OUTSIDE /l\nFROM busybox\nCOPY --from=b /l/host-secret /x'],
  ['COPY --from up', 'FROM busybox AS b\nFROM busybox\nCOPY --from=b ../../../../..$OUTSIDE/host-secret /x'],
  [
    'COPY --parents of a link',
    'FROM busybox AS b\nRUN ln -s $OUTSIDE /l\nFROM busybox\nCOPY --parents --from=b /l/./host-secret /x',
  ],
  [
    'a mount of RUN onto a link',
    'RUN ln -s $OUTSIDE /t\nRUN --mount=type=tmpfs,target=/t touch /t/made; cat /t/host-secret',
  ],
  ['a cache of RUN below a link', 'RUN ln -s $OUTSIDE /t\nRUN --mount=type=cache,target=/t/made cat /t/host-secret'],
  [
    'a link within a cache',
    `RUN --mount=type=cache,id=led,target=/c ln -sfn $OUTSIDE /c/l
RUN --mount=type=cache,id=led,source=l,target=/d cat /d/host-secret && touch /d/made`,
  ],
  [
    'a bind mount from a link of a stage',
    'FROM busybox AS b\nRUN ln -s $OUTSIDE /l\nFROM busybox\nRUN --mount=from=b,source=/l,target=/m cat /m/host-secret',
  ],
  ['a writable bind mount', 'RUN --mount=source=.,target=/m,rw ln -s $OUTSIDE /m/l && touch /m/file /m/l/made'],
  ['/etc/passwd as a link', 'RUN ln -sf $OUTSIDE/passwd /etc/passwd\nCOPY --chown=intruder file /x'],
  ['/etc/passwd as a pipe', 'RUN rm /etc/passwd && mkfifo /etc/passwd\nCOPY --chown=intruder file /x'],
  ['USER of a linked /etc/passwd', 'RUN ln -sf $OUTSIDE/passwd /etc/passwd\nUSER intruder\nRUN true'],
  [
    'a script of RUN over a link',
    'RUN ln -s $OUTSIDE /dev/pipes || true\nRUN <<EOF\n#!/bin/sh\ncat /dev/pipes/host-secret\nEOF',
  ],
];

describe('paths in an image that lead to the host', () => {
  test.each(leading)('get nothing of it, and put nothing there: %s', async (_what, steps) => {
    writeFileSync(join(context, 'file'), 'from the context');
    execFileSync('tar', ['-C', context, '-cf', join(context, 'file.tar'), 'file']);
    const led = join(context, 'led');
    mkdirSync(led);
    symlinkSync(outside, join(led, 'l'));
    execFileSync('tar', ['-C', led, '-cf', join(context, 'led.tar'), 'l']);
    execFileSync('tar', ['-C', context, '--transform=s,^file$,l/made,', '-rf', join(context, 'led.tar'), 'file']);
    rmSync(led, { recursive: true });
    const { said } = await build(`FROM busybox\n${steps.replaceAll('$OUTSIDE', outside)}\n`, '-t', 'led');
    expect(said).not.toContain('of the host');
    const found = await engine.docker('run', '--rm', 'led', 'sh', '-c', 'cat /x; find / -xdev -name host-secret');
    expect(found.stdout).not.toContain('of the host');
    expect(readdirSync(outside).sort()).toEqual(['host-secret', 'passwd']);
    expect(readFileSync(join(outside, 'host-secret'), 'utf8')).toBe('of the host');
  });
});

describe('servers that a build names', () => {
  test('lead to nothing of this host', async () => {
    let asked = 0;
    const secret = createServer((_request, response) => response.end(`${++asked} of the host`));
    await new Promise<void>((resolve) => secret.listen(0, '0.0.0.0', resolve));
    const address = secret.address();
    const port = typeof address === 'object' ? address?.port : 0;
    try {
      for (const [index, host] of [
        '127.0.0.1',
        '[::1]',
        '0.0.0.0',
        'localhost',
        '169.254.169.254',
        `${engine.prefix}.0.1`,
      ].entries()) {
        const answer = `HTTP/1.1 302 Found\\r\\nLocation: http://${host}:${port}/x\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n`;
        const name = `leads-${index}`;
        const serve = `while :; do printf '${answer}' | nc -l -p 80; done`;
        await ok('run', '-d', '--name', name, 'busybox', 'sh', '-c', serve);
        const own = await ok('inspect', '-f', '{{.NetworkSettings.IPAddress}}', name);
        const listens = () => ok('exec', name, 'sh', '-c', 'netstat -ltn | grep -c :80 || true');
        await expect.poll(listens).toBe('1');
        const added = await build(`FROM busybox\nADD http://${own}/x /x\n`);
        expect({ host, ...added }).toMatchObject({
          code: 1,
          said: expect.stringContaining('refusing to follow the server'),
        });
        await expect.poll(listens).toBe('1');
        const { status, body } = await engine.api('POST', `/build?remote=${encodeURIComponent(`http://${own}/x`)}`);
        expect({ host, status, body }).toMatchObject({
          status: 403,
          body: expect.stringContaining('refusing to follow'),
        });
        await ok('rm', '-f', name);
      }
      expect(asked).toBe(0);
    } finally {
      secret.close();
    }
  });
});

test('a file with holes, larger than any disk, holds up nobody', async () => {
  execFileSync('truncate', ['-s', '1T', join(context, 'hole')]);
  writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nCOPY hole /\n');
  const tar = spawn('tar', ['-C', context, '-cS', 'hole', 'Dockerfile'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const env = { ...process.env, ...classic, DOCKER_HOST: `unix://${engine.socket}` };
  const child = spawn('docker', ['build', '-'], { stdio: [tar.stdout, 'pipe', 'ignore'], env });
  let told = '';
  child.stdout.on('data', (chunk: Buffer) => {
    told += chunk.toString();
  });
  await expect.poll(() => told).toContain('Step 2/2');
  expect(await ok('run', '--rm', 'busybox', 'echo', 'meanwhile')).toBe('meanwhile');
  child.kill('SIGKILL');
  await once(child, 'close');
  await expect.poll(() => readdirSync(join(engine.dataRoot, 'builds/new'))).toEqual([]);
  await expect.poll(() => readdirSync(join(engine.dataRoot, 'extensions/builder-dockerfile/builds'))).toEqual([]);
});

describe.skipIf(!hasNewerClients)('secrets of a build', () => {
  const secret = 'a very private word';
  const reversed = [...secret].reverse().join('');

  test('are on no disk, in no answer and in no log, however a step has them', async () => {
    const DOCKER_CONFIG = newerClientsIn(engine.directory);
    writeFileSync(join(engine.directory, 'token'), secret);
    const has = `[ "$(echo "$TOKEN" | rev)" = "${reversed}" ]`;
    writeFileSync(
      join(context, 'Dockerfile'),
      [
        'FROM busybox',
        `RUN --mount=type=secret,id=token,env=TOKEN ${has} && ! test -e /run/secrets/token && sleep 2`,
        `RUN --mount=type=secret,id=token TOKEN=$(cat /run/secrets/token) && ${has}`,
        `RUN --mount=type=secret,id=token,target=/led/token,env=TOKEN ${has} && cat /led/token >/dev/null`,
        'RUN ! test -e /run/secrets/token && [ "$TOKEN" = "" ] && ! test -s /led/token',
      ].join('\n'),
    );
    const building = engine.docker(
      ...['build', '--progress=plain', '--secret', `id=token,src=${engine.directory}/token`, '-t', 'private', context],
      { env: { DOCKER_CONFIG }, timeoutMs: 240_000 },
    );
    await expect.poll(() => ok('ps', '-q')).not.toBe('');
    expect(await ok('inspect', await ok('ps', '-q'))).not.toContain(secret);
    const { code, stderr } = await building;
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    expect(stderr).not.toContain(secret);
    expect(await ok('history', '--no-trunc', 'private')).not.toContain(secret);
    expect(await ok('image', 'inspect', 'private')).not.toContain(secret);
    expect(await ok('system', 'df', '-v')).not.toContain(secret);
    expect(await ok('events', '--since', '1h', '--until', '0s')).not.toContain(secret);
    await ok('save', '-o', join(context, 'private.tar'), 'private');
    expect(readFileSync(join(context, 'private.tar')).includes(secret)).toBe(false);
    expect(engine.log()).not.toContain(secret);
    expect(holding(secret)).toBe('');
  });
});
