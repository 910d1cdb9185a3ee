import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, readdirSync, utimesSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { benchForTests, build, built, context, engine, inside, ok, put } from './dockerfile/bench.js';
import { classicTests } from './dockerfile/classic.js';
import { orderTests } from './dockerfile/orders.js';

/** The default builder, driven by `docker build`; and by orders of its own where the classic client has no words for them. */
benchForTests();

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
    expect((await historyOf(image)).slice(-4)).toEqual([
      'HEALTHCHECK {Test:[CMD-SHELL test -e /x] Interval:5s Timeout:0s StartPeriod:0s StartInterval:0s Retries:2}',
      'CMD ["/bin/sh" "-c" "echo hi"]',
      'ENTRYPOINT ["/bin/sh" "-c"]',
      'LABEL a=from the client',
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

  test('steps: an ARG before FROM is one, and each label of the order', async () => {
    const text = 'ARG A=busybox\nFROM $A\nENV B=c\nRUN true';
    const { stdout } = await build(text, '--label', 'z=1', '--label', 'y=2');
    expect(stdout.match(/^Step .*$/gm)).toEqual([
      'Step 1/6 : ARG A=busybox',
      'Step 2/6 : FROM $A',
      'Step 3/6 : ENV B=c',
      'Step 4/6 : RUN true',
      'Step 5/6 : LABEL y=2',
      'Step 6/6 : LABEL z=1',
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
    expect(stdout.match(/Using cache/g)).toHaveLength(5);
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

describe('the classic builder’s words', classicTests);
describe('orders of its own', orderTests);

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
  expect(readdirSync(state)).toEqual([]);
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
