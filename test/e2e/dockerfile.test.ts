import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { type BuildLine, type BuildRequest, builderKind } from '@cleat/protocol/kinds/builder';
import { startForTest } from '@cleat/sdk/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import dockerfile from '../../batteries/builder-dockerfile/main.js';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';

/** The default builder, driven by `docker build`; and by orders of its own where the classic client has no words for them. */
let engine: Engine;
let place: string;
let context: string;
const { ok } = clientOf(() => engine);
const classic = { DOCKER_BUILDKIT: '0' };

beforeAll(async () => {
  engine = await startEngine();
  place = mkdtempSync('/tmp/cleat-e2e-dockerfile-');
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  rmSync(place, { recursive: true, force: true });
});
beforeEach(() => {
  context = mkdtempSync(join(place, 'context-'));
});

function put(files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(context, name, '..'), { recursive: true });
    writeFileSync(join(context, name), content);
  }
}

async function build(text: string, ...args: string[]) {
  writeFileSync(join(context, 'Dockerfile'), text);
  return await engine.docker('build', ...args, context, { env: classic, timeoutMs: 120_000 });
}

/** The ID of the image. */
async function built(text: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await build(text, '-q', ...args);
  expect({ code, said: code === 0 ? '' : stderr }).toEqual({ code: 0, said: '' });
  return stdout.trim();
}

/** Lines that a command prints in a container of the image. */
async function inside(image: string, command: string): Promise<string[]> {
  return (await ok('run', '--rm', '--entrypoint', 'sh', '--user', '0', image, '-c', command)).split('\n');
}

const configOf = async (image: string) => JSON.parse(await ok('image', 'inspect', '-f', '{{json .Config}}', image));
const historyOf = async (image: string) =>
  (await ok('history', '--no-trunc', '--format', '{{.CreatedBy}}', image)).split('\n').reverse();

describe('the language', () => {
  test('arguments, variables, directories, shells and documents', async () => {
    const image = await built(
      [
        'ARG TAG=latest',
        'ARG GLOBAL=global',
        'FROM busybox:${TAG}',
        'ARG GLOBAL',
        'ARG OWN=default',
        'ARG UNDECLARED_LATER',
        'ENV A="one two" B=$OWN C=${NONE:-${GLOBAL}}',
        'ENV D="${A#one }"',
        'ENV E old style $B',
        'WORKDIR /w/$OWN',
        'WORKDIR sub',
        'RUN pwd > /pwd; echo "$A|$B|$C|$D|$E|$GLOBAL" > /vars',
        'SHELL ["/bin/sh", "-ec"]',
        'RUN <<EOF',
        'echo first > /doc',
        'echo "$OWN $HOME" >> /doc',
        'EOF',
        'RUN cat <<ONE > /one && cat <<-"TWO" > /two',
        'in one',
        'ONE',
        '\t$in two',
        '\tTWO',
        'RUN <<EOF',
        '#!/bin/busybox sh',
        'echo "$0" > /script',
        'EOF',
        'COPY <<here.txt <<"raw.txt" docs/',
        '$A',
        'here.txt',
        '$A',
        'raw.txt',
      ].join('\n'),
      '--build-arg',
      'OWN=given',
    );
    expect(await inside(image, 'cat /pwd /vars /doc /one /two /script; cd docs; grep . *')).toEqual([
      '/w/given/sub',
      'one two|given|global|two|old style given|global',
      'first',
      'given /root',
      'in one',
      '$in two',
      '/dev/pipes/EOF',
      'here.txt:one two',
      'raw.txt:$A',
    ]);
    expect((await historyOf(image)).slice(1)).toContain(
      'RUN |3 GLOBAL=global OWN=given UNDECLARED_LATER= /bin/sh -c pwd > /pwd; echo "$A|$B|$C|$D|$E|$GLOBAL" > /vars # buildkit',
    );
  });

  test('the configuration of the image, and its history', async () => {
    const image = await built(
      [
        'FROM busybox',
        'LABEL a=1 "b c"=2',
        'EXPOSE 80 53/udp 9000-9001',
        'VOLUME /data /x',
        'USER 0:0',
        'STOPSIGNAL SIGINT',
        'HEALTHCHECK --interval=5s --retries=2 CMD test -e /x',
        'CMD echo hi',
        'ENTRYPOINT ["/bin/sh", "-c"]',
        'ONBUILD RUN echo triggered > /triggered',
      ].join('\n'),
      '--label',
      'a=from the client',
    );
    expect(await configOf(image)).toMatchObject({
      Labels: { a: 'from the client', 'b c': '2' },
      ExposedPorts: { '80/tcp': {}, '53/udp': {}, '9000/tcp': {}, '9001/tcp': {} },
      Volumes: { '/data': {}, '/x': {} },
      User: '0:0',
      StopSignal: 'SIGINT',
      Healthcheck: { Test: ['CMD-SHELL', 'test -e /x'], Interval: 5e9, Retries: 2 },
      Cmd: ['/bin/sh', '-c', 'echo hi'],
      Entrypoint: ['/bin/sh', '-c'],
      OnBuild: ['RUN echo triggered > /triggered'],
    });
    expect((await historyOf(image)).slice(-3)).toEqual([
      'HEALTHCHECK {Test:[CMD-SHELL test -e /x] Interval:5s Timeout:0s StartPeriod:0s StartInterval:0s Retries:2}',
      'CMD ["/bin/sh" "-c" "echo hi"]',
      'ENTRYPOINT ["/bin/sh" "-c"]',
    ]);
    const child = await built(`FROM ${image}\nRUN cat /triggered > /after`);
    expect(await inside(child, 'cat /after')).toEqual(['triggered']);
    expect((await configOf(child)).OnBuild ?? null).toBeNull();
  });

  test('files: directories, wildcards, links, owners, modes, parents, what is left out', async () => {
    put({ 'd/a': 'a', 'd/s/b': 'b', 'd/s/c.md': 'c', 'x.txt': 'x', 'y.txt': 'y', 'e/f/z': 'z' });
    chmodSync(join(context, 'd/s'), 0o750);
    execFileSync('ln', ['-s', '../a', join(context, 'd/s/link')]);
    execFileSync('ln', [join(context, 'd/a'), join(context, 'd/hard')]);
    utimesSync(join(context, 'd/a'), 1_000_000, 1_000_000);
    const image = await built(
      [
        'FROM busybox',
        'RUN mkdir /real && ln -s /real /way && echo "u:x:7:8::/:/bin/sh" > /etc/passwd && echo "g:x:9:" > /etc/group',
        'COPY d /d',
        'COPY --exclude=**/*.md --exclude=hard d /left/',
        'COPY --chown=u:g --chmod=640 x.txt /owned',
        'COPY --chown=u --chmod=u=rwX,go=r d/s /symbolic',
        'COPY *.txt /way/',
        'COPY --parents d/s/*.md e/./f/z /parents/',
        'COPY nothing* x.txt /wild/',
      ].join('\n'),
    );
    expect(
      await inside(
        image,
        'cd /; find d left parents wild real -type f | sort; stat -c "%n %a %u:%g" owned symbolic symbolic/b d/s; readlink d/s/link; stat -c %Y d/a; test d/a -ef d/hard && echo same',
      ),
    ).toEqual([
      ...['d/a', 'd/hard', 'd/s/b', 'd/s/c.md', 'left/a', 'left/s/b'],
      ...['parents/d/s/c.md', 'parents/f/z', 'real/x.txt', 'real/y.txt', 'wild/x.txt'],
      ...['owned 640 7:9', 'symbolic 755 7:8', 'symbolic/b 644 7:8', 'd/s 750 0:0'],
      ...['../a', '1000000', 'same'],
    ]);
  });

  test('stages: names, numbers, images; only the needed ones, and the target by name or number', async () => {
    const text = [
      'FROM busybox AS one',
      'RUN echo 1 > /1 && chown 3:4 /1',
      'FROM busybox AS broken',
      'RUN false',
      'FROM one AS two',
      'RUN echo 2 > /2',
      'FROM scratch AS last',
      'COPY --from=one /1 /',
      'COPY --from=2 /2 /',
      'COPY --from=busybox /bin/busybox /bin/sh',
    ].join('\n');
    const image = await built(text);
    expect(await inside(image, 'cat /1 /2; sh -c "ls -ln /1" | cut -c15-60; exit 0')).toEqual(
      expect.arrayContaining(['1', '2']),
    );
    expect(await inside(await built(text, '--target', 'two'), 'cat /1 /2')).toEqual(['1', '2']);
    expect(await inside(await built(text, '--target', '0'), 'cat /1; stat -c %u:%g /1')).toEqual(['1', '3:4']);
    expect((await build(text, '--target', 'broken')).stderr).toContain(
      "The command '/bin/sh -c false' returned a non-zero code: 1",
    );
  });

  test('archives are unpacked by ADD, whatever they are called; nothing of them leaves its place', async () => {
    put({ 'tree/f': 'f', 'plain.tar': 'not really' });
    const tar = (...args: string[]) => execFileSync('tar', ['-C', context, ...args]);
    tar('--owner=11', '--group=12', '-czf', join(context, 'packed'), 'tree');
    execFileSync(
      'sh',
      [
        '-c',
        'mkdir evil && ln -s /etc evil/out && tar cf e.tar evil && rm evil/out && mkdir evil/out && echo x > evil/out/passwd && tar rf e.tar evil/out/passwd ../$(basename $PWD)/tree/f 2>/dev/null; rm -r evil',
      ],
      {
        cwd: context,
      },
    );
    const image = await built(
      ['FROM busybox', 'ADD packed /p/', 'ADD plain.tar /', 'COPY packed /copied', 'ADD e.tar /e/'].join('\n'),
    );
    expect(
      await inside(image, 'stat -c %u:%g /p/tree/f; cat /plain.tar; echo; test -f /copied && echo file; ls -A /etc'),
    ).toEqual(['11:12', 'not really', 'file', ...['group', 'hostname', 'hosts', 'mtab', 'passwd', 'resolv.conf']]);
  });

  test('a URL by its content, with its checksum', async () => {
    const server = createHttpServer((_request, response) => response.end('downloaded'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/dir/file.txt`;
      const sum = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
      const image = await built(`FROM busybox\nADD --checksum=${sum('downloaded')} ${url} /u/`);
      expect(await inside(image, 'cat /u/file.txt; stat -c %a /u/file.txt')).toEqual(['downloaded600']);
      expect((await build(`FROM busybox\nADD --checksum=${sum('other')} ${url} /`)).stderr).toContain(
        'digest mismatch',
      );
    } finally {
      server.close();
    }
  });

  test.each([
    [
      'FROM busybox\nCOPY gone /',
      'COPY failed: file not found in build context or excluded by .dockerignore: stat gone: file does not exist',
    ],
    ['FROM busybox\nCOPY ../../../../etc/shadow /', 'file does not exist'],
    ['FROM busybox\nCOPY way /', 'file does not exist'],
    ['FROM busybox\nRUN exit 7', "The command '/bin/sh -c exit 7' returned a non-zero code: 7"],
    ['FROM busybox\nFOO', 'dockerfile parse error on line 2: unknown instruction: FOO'],
    ['FROM busybox\nCOPY --chown=nobodyhere x /', "can't find uid for user nobodyhere"],
    ['FROM busybox\nRUN --network=host true', 'granting network.host requires --allow network.host'],
    ['FROM busybox\nRUN --security=insecure true', 'granting security.insecure requires --allow security.insecure'],
    ['FROM busybox\nRUN --mount=type=secret,id=s,required true', 'secret s: not found'],
    ['FROM --platform=linux/s390x scratch\nCOPY x /\nRUN x', 'cannot run programs of linux/s390x'],
    ['FROM scratch\nCOPY --from=later /x /\nFROM busybox AS later', 'it needs to be defined before current stage'],
  ])('%j is refused', async (text, message) => {
    put({ x: 'x' });
    execFileSync('ln', ['-s', '/etc/shadow', join(context, 'way')]);
    const { code, stderr } = await build(text, ...(text.includes('later') ? ['--target', '0'] : []));
    expect(stderr).toContain(message);
    expect(code).not.toBe(0);
  });
});

describe('the cache', () => {
  const text =
    'FROM busybox\nLABEL v=1\nCOPY f /f\nRUN cat /f > /g; cat /proc/sys/kernel/random/uuid > /when\nENV X=y\nWORKDIR /w\n';

  test('takes what was done, whatever its time; not what has other contents or modes', async () => {
    put({ f: 'one' });
    const first = await built(text);
    utimesSync(join(context, 'f'), 5, 5);
    expect(await built(text)).toBe(first);
    const { stdout } = await build(text);
    expect(stdout.match(/Using cache/g)).toHaveLength(3);
    const relabelled = await built(text.replace('v=1', 'v=2'));
    expect(relabelled).not.toBe(first);
    const when = (image: string) => inside(image, 'cat /when');
    expect(await when(relabelled)).toEqual(await when(first));
    chmodSync(join(context, 'f'), 0o600);
    expect(await when(await built(text))).not.toEqual(await when(first));
    chmodSync(join(context, 'f'), 0o644);
    expect(await built(text)).toBe(first);
    expect(await when(await built(text, '--no-cache'))).not.toEqual(await when(first));
  });

  test('outlives the engine, is shown, and is pruned', async () => {
    put({ f: 'kept' });
    const first = await built(text);
    await engine.kill('SIGKILL');
    await engine.restart();
    expect(await built(text)).toBe(first);
    expect(await ok('images', '-aq', '--no-trunc')).toContain(first);
    const df = JSON.parse(
      await ok('system', 'df', '--format', '{{json .}}').then((all) => `[${all.split('\n').join(',')}]`),
    );
    const cache = df.find(({ Type }: { Type: string }) => Type === 'Build Cache');
    expect(Number(cache.TotalCount)).toBeGreaterThan(2);
    await ok('builder', 'prune', '-af');
    expect((await build(text)).stdout).not.toContain('Using cache');
  });
});

describe('orders of its own', () => {
  const orders = { NoCache: true } satisfies Partial<BuildRequest>;
  let count = 0;

  async function ordered(text: string, more: Partial<BuildRequest> = {}, stateDir = join(place, 'state')) {
    // The engine opens a builder's socket when the builder is first asked.
    await ok('system', 'df');
    await using extension = await startForTest(dockerfile, {
      name: 'dockerfile',
      carrier: 'in-process',
      options: { stateDir },
    });
    writeFileSync(join(place, 'Ordered'), text);
    const stream = await extension.client(builderKind).Build({
      ID: `own-${++count}`,
      Engine: join(engine.execRoot, 'build/dockerfile.sock'),
      Context: context,
      Dockerfile: join(place, 'Ordered'),
      ...more,
    });
    let said = '';
    for await (const chunk of stream) said += Buffer.from(chunk).toString();
    const lines = said
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as BuildLine);
    const log = lines.map(({ Log }) => (Log ? Buffer.from(Log.Data, 'base64').toString() : '')).join('');
    expect(readdirSync(join(stateDir, 'builds'))).toEqual([]);
    return { lines, log, end: lines.at(-1) };
  }

  test('mounts are there while RUN runs, and leave nothing in the layer', async () => {
    put({ 'd/f': 'from the context' });
    writeFileSync(join(place, 'secret'), 'never to be kept');
    const agent = createServer((client) => client.end('agent says hello\n'));
    await new Promise<void>((resolve) => agent.listen(join(place, 'agent'), resolve));
    try {
      const { log, end } = await ordered(
        [
          'FROM busybox AS other',
          'RUN mkdir /o && echo from the stage > /o/f',
          'FROM busybox',
          'WORKDIR /w',
          'RUN --mount=type=secret,id=s --mount=type=secret,id=s,target=/a/b/c,uid=5,mode=0440 --mount=type=secret,id=s,env=SECRET \\',
          '  cat /run/secrets/s; stat -c "%a %u" /a/b/c; echo "$SECRET"; mount | grep -c " /run/secrets/s type ramfs"',
          'RUN --mount=type=bind,source=d,target=in --mount=type=bind,from=other,source=/o,target=/o,rw \\',
          '  cat in/f /o/f; touch in/x || echo read-only; echo changed > /o/f; cat /o/f',
          'RUN --mount=type=tmpfs,target=/t,size=1m df /t | tail -1 | tr -s " " | cut -d" " -f2',
          'RUN --mount=type=cache,target=/c,uid=7,mode=0700 --mount=type=cache,id=other,target=/c2,from=other,source=/o \\',
          '  stat -c "%a %u" /c; cat /c2/f; echo again >> /c/n; cat /c/n | wc -l',
          'RUN --mount=type=ssh,uid=9 stat -c "%F %u" $SSH_AUTH_SOCK',
          'RUN find / -xdev -newer /o 2>/dev/null | grep -E "^/(a|c|c2|t|o|run|w/in)" || echo nothing is left',
        ].join('\n'),
        {
          ...orders,
          Secrets: [{ ID: 's', File: join(place, 'secret') }],
          SSH: [{ ID: 'default', Socket: join(place, 'agent') }],
        },
      );
      expect(end).toMatchObject({ Result: {} });
      for (const said of [
        'never to be kept',
        '440 5',
        'from the contextfrom the stage',
        'read-only\nchanged',
        '1024',
        'socket 9',
        '700 7\nfrom the stage\n1',
        'nothing is left',
      ]) {
        expect(log).toContain(said);
      }
      // Neither in a layer nor in the cache.
      const places = ['layers', 'blobs'].map((name) => join(engine.dataRoot, name));
      for (const one of [...places, join(place, 'state')]) {
        expect(existsSync(one)).toBe(true);
        expect(execFileSync('sh', ['-c', `grep -rl 'never to be kept' ${one} || true`]).toString()).toBe('');
      }
      const again = await ordered('FROM busybox\nRUN --mount=type=cache,target=/c cat /c/n | wc -l', orders);
      expect(again.log.trim()).toBe('1');
    } finally {
      agent.close();
    }
  });

  test('further contexts are images and directories', async () => {
    put({ f: 'main' });
    const further = join(place, 'further');
    mkdirSync(join(further, 'sub'), { recursive: true });
    writeFileSync(join(further, 'sub/g'), 'further');
    const { end, log } = await ordered(
      'FROM base\nCOPY --from=more sub/g /g\nCOPY f /f\nRUN --mount=from=more,target=/m cat /g /f /m/sub/g\nFROM more\nCOPY --from=0 /f /f',
      { ...orders, Contexts: { base: { Image: 'busybox' }, more: { Directory: further } }, Target: '0' },
    );
    expect(end).toMatchObject({ Result: {} });
    expect(log).toBe('furthermainfurther');
  });

  test('the same image twice with SOURCE_DATE_EPOCH, from caches of their own', async () => {
    put({ f: 'f' });
    const text = 'FROM busybox\nENV A=b\nWORKDIR /w\nCOPY f f\nCOPY <<x /x\n1\nx\nCMD ["x"]';
    const epoch = { BuildArgs: { SOURCE_DATE_EPOCH: '86400' } };
    const one = await ordered(text, epoch, join(place, 'state-a'));
    const two = await ordered(text, epoch, join(place, 'state-b'));
    expect(one.end?.Result?.Image).toMatch(/^sha256:/);
    expect(two.end).toEqual(one.end);
  });

  test('a cache goes to another builder, as a directory and within an image', async () => {
    put({ f: 'f' });
    const text =
      'FROM busybox AS a\nCOPY f /f\nRUN cat /proc/sys/kernel/random/uuid > /u\nFROM busybox\nWORKDIR /w\nCOPY --from=a /u /u';
    const dest = join(place, 'exported');
    const cachedIn = ({ lines }: { lines: BuildLine[] }) =>
      lines.flatMap(({ Vertex }) => (Vertex?.Cached ? [Vertex.Name] : [])).sort();
    const state = (name: string) => join(place, `state-${name}`);
    await ordered(text, { CacheTo: [`type=local,dest=${dest}`] }, state('from'));
    const all = await ordered(text, { CacheFrom: [`type=local,src=${dest}`] }, state('to'));
    expect(cachedIn(all)).toEqual([
      'COPY --from=a /u /u',
      'COPY f /f',
      'RUN cat /proc/sys/kernel/random/uuid > /u',
      'WORKDIR /w',
    ]);
    const inline = await ordered(text, { CacheTo: ['type=inline'] }, state('from'));
    // Only steps whose layers the image has.
    const own = await ordered(text, { CacheFrom: [inline.end?.Result?.Image ?? ''], Target: '' }, state('inline'));
    expect(cachedIn(own)).toContain('WORKDIR /w');
    const none = await ordered(text, { CacheFrom: ['busybox', 'type=gha'] }, state('none'));
    expect(none.end).toMatchObject({ Result: {} });
    expect(none.lines.flatMap(({ Warning }) => Warning?.Short ?? [])).toEqual([
      'importing cache from busybox: the image has brought no cache: build it with --cache-to type=inline',
      'importing cache from type=gha: the cache of type gha is not supported: use type=local, or the name of an image',
    ]);
    expect((await ordered(text, { CacheTo: ['type=registry,ref=x'] })).end?.Error?.Message).toContain(
      'is not supported',
    );
  });

  test('stages that do not need each other work at the same time', async () => {
    // Each waits for the other by way of a cache that they share.
    const meet = (own: string, other: string) =>
      `RUN --mount=type=cache,id=meet,target=/m touch /m/${own}; until test -e /m/${other}; do sleep 0.05; done`;
    const { end } = await ordered(
      `FROM busybox AS a\n${meet('a', 'b')}\nFROM busybox AS b\n${meet('b', 'a')}\nFROM scratch\nCOPY --from=a /bin/true /a\nCOPY --from=b /bin/true /b`,
      orders,
    );
    expect(end).toMatchObject({ Result: {} });
  });
});

test('a build that is cancelled, and one whose engine is killed, leave nothing', async () => {
  put({ f: 'f' });
  const running = async () => (await ok('ps', '-q')).split('\n').filter(Boolean).length;
  const text = 'FROM busybox\nRUN --mount=type=bind,target=/c,rw sleep 1000';
  const state = join(engine.dataRoot, 'extensions/builder-dockerfile/builds');
  const stop = new AbortController();
  const body = execFileSync('sh', ['-c', `printf '${text.replaceAll('\n', '\\n')}' > Dockerfile && tar c .`], {
    cwd: context,
  });
  const started = fetchBuild(body, stop.signal);
  await expect.poll(running).toBe(1);
  stop.abort();
  await started;
  await expect.poll(running).toBe(0);
  const killed = fetchBuild(body, new AbortController().signal);
  await expect.poll(running).toBe(1);
  await engine.kill('SIGKILL');
  await killed;
  await engine.restart();
  await expect.poll(running).toBe(0);
  await built('FROM busybox\nRUN true');
  if (existsSync(state)) expect(readdirSync(state)).toEqual([]);
  expect(
    execFileSync('sh', ['-c', `grep -c ${engine.dataRoot}/.*builds /proc/mounts || true`])
      .toString()
      .trim(),
  ).toBe('0');
});

async function fetchBuild(body: Buffer, signal: AbortSignal): Promise<void> {
  const { request } = await import('node:http');
  await new Promise<void>((resolve) => {
    const sent = request(
      {
        socketPath: engine.socket,
        method: 'POST',
        path: '/build',
        headers: { 'Content-Type': 'application/x-tar' },
        signal,
      },
      (answer) => answer.resume().once('close', resolve),
    );
    // An aborted request, or an engine that dies: both are meant.
    sent.once('error', () => resolve());
    sent.end(body);
  });
}
