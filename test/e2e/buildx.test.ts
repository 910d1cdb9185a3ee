import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CommandResult, type DockerOptions, type Engine, startEngine } from './support/engine.js';
import { hasNewerClients, newerClientsIn } from './support/newer-clients.js';
import { Registry } from './support/registry.js';

/** Debian bookworm's, which knows BuildKit without buildx. */
const oldClient = '/usr/bin/docker';
const isOld = /version 20\./.test(spawnSync(oldClient, ['--version'], { encoding: 'utf8' }).stdout ?? '');

describe.skipIf(!isOld)('the client of 2021, with DOCKER_BUILDKIT=1', () => {
  let engine: Engine;
  let work: string;
  beforeAll(async () => {
    engine = await startEngine();
    work = join(engine.directory, 'old');
    mkdirSync(join(work, 'app'), { recursive: true });
    writeFileSync(
      join(work, 'app/Dockerfile'),
      'FROM busybox\nARG W\nRUN --mount=type=secret,id=s cat /run/secrets/s && echo $W >/w\nCOPY f /\n',
    );
    writeFileSync(join(work, 'app/f'), 'from the context\n');
  });
  afterAll(() => engine?.[Symbol.asyncDispose]());

  function build(
    args: string[],
    input: string | Buffer = '',
  ): { status: number | null; stdout: string; stderr: string } {
    const env = { ...process.env, DOCKER_BUILDKIT: '1', DOCKER_CONFIG: work, DOCKER_HOST: `unix://${engine.socket}` };
    return spawnSync(oldClient, ['build', ...args], { cwd: work, env, input, encoding: 'utf8', timeout: 240_000 });
  }

  test('builds from its session, with its secrets and progress', async () => {
    const flags = [
      '--progress=plain',
      '--secret',
      'id=s,src=app/f',
      '--build-arg',
      'W=word',
      '-t',
      'old:1',
      '--label',
      'l=v',
    ];
    const { status, stderr } = build([...flags, 'app']);
    expect(status, stderr).toBe(0);
    expect(stderr).toMatch(/#\d+ [\d.]+ from the context/);
    expect((await engine.docker('run', '--rm', 'old:1', 'cat', '/w', '/f')).stdout).toBe('word\nfrom the context\n');
    expect(build(['-q', '--secret', 'id=s,src=app/f', 'app']).stdout).toMatch(/^sha256:[a-f0-9]{64}\n$/);
  });

  test('builds from its standard input', async () => {
    writeFileSync(join(work, 'app/plain.Dockerfile'), 'FROM busybox\nCOPY f /\n');
    const tar = execFileSync('tar', ['-C', join(work, 'app'), '-cf', '-', '.']);
    expect(build(['-t', 'old:2', '-f', 'plain.Dockerfile', '-'], tar).stderr).toMatch(
      /naming to docker.io\/library\/old:2/,
    );
    expect(build(['-t', 'old:3', '-'], 'FROM busybox\nCMD ["true"]\n').status).toBe(0);
  });

  test('exports, and fails, where it should', async () => {
    writeFileSync(join(work, 'out.Dockerfile'), 'FROM scratch\nCOPY f /\n');
    expect(build(['-f', 'out.Dockerfile', '-o', 'dest', 'app']).status).toBe(0);
    expect(readdirSync(join(work, 'dest'))).toEqual(['f']);
    writeFileSync(join(work, 'bad.Dockerfile'), 'FROM busybox\nRUN exit 5\n');
    const { status, stderr } = build(['-f', 'bad.Dockerfile', 'app']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/did not complete successfully: exit code: 5/);
  });
});

const hasRegistry = spawnSync('docker-registry', ['--version']).status === 0;

/** The real clients of BuildKit, unchanged: `docker build` by buildx, buildx itself, bake, Compose v2. */
describe.skipIf(!hasNewerClients)('clients of BuildKit', () => {
  let engine: Engine;
  let config: string;
  let work: string;
  beforeAll(async () => {
    engine = await startEngine();
    config = newerClientsIn(engine.directory);
    work = join(engine.directory, 'work');
    mkdirSync(work);
  });
  afterAll(() => engine?.[Symbol.asyncDispose]());

  const run = (...args: (string | DockerOptions)[]): Promise<CommandResult> => {
    const options = args.find((arg) => typeof arg !== 'string');
    const words = args.filter((arg) => typeof arg === 'string');
    return engine.docker(...words, {
      timeoutMs: 240_000,
      cwd: work,
      ...options,
      env: { DOCKER_CONFIG: config, NO_COLOR: '1', BUILDX_NO_DEFAULT_LOAD: '', ...options?.env },
    });
  };
  /** @returns what it printed on its standard output, or, if nothing, on the other, where progress goes */
  async function ok(...args: (string | DockerOptions)[]): Promise<string> {
    const { code, stdout, stderr } = await run(...args);
    expect(code, stderr).toBe(0);
    return stdout || stderr;
  }

  /** A context with these files. @returns its path */
  function context(name: string, files: Record<string, string>): string {
    const directory = join(work, name);
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(directory, path, '..'), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
    return directory;
  }
  const images = async () =>
    (await ok('images', '-a', '--format', '{{.Repository}}:{{.Tag}}')).split('\n').filter(Boolean);

  test('docker build takes buildx, which takes this engine', async () => {
    const directory = context('app', {
      Dockerfile: 'FROM busybox\nCOPY . /app\nRUN ls -A /app >/list && echo built on $(cat /app/sub/where)\n',
      '.dockerignore': '# not this\n*.skip\n!kept.skip\nDockerfile\n',
      'sub/where': 'cleat\n',
      'left.skip': '',
      'kept.skip': '',
      'name with space': 'x',
    });
    writeFileSync(join(directory, 'run.sh'), '#!/bin/sh\n');
    chmodSync(join(directory, 'run.sh'), 0o750);
    symlinkSync('run.sh', join(directory, 'link'));
    const told = await ok('build', '--progress=plain', '-t', 'app:1', '-t', 'app:2', '--iidfile', 'iid', 'app');
    expect(told).toContain('building with "default" instance using docker driver');
    expect(told).toMatch(/\[internal\] load build definition from Dockerfile/);
    expect(told).toMatch(/\[3\/3\] RUN ls -A/);
    expect(told).toMatch(/built on cleat/);
    expect(told.match(/^#\d+ \[\d\/.*$/gm)).toEqual([
      expect.stringContaining('[1/3] FROM docker.io/library/busybox:latest'),
      expect.stringContaining('[2/3] COPY . /app'),
      expect.stringContaining('[3/3] RUN ls -A'),
    ]);
    expect(told).toMatch(/naming to docker\.io\/library\/app:2 done/);
    const id = readFileSync(join(work, 'iid'), 'utf8');
    expect(JSON.parse(await ok('image', 'inspect', 'app:1'))).toMatchObject([{ Id: id, RepoTags: ['app:1', 'app:2'] }]);
    expect((await ok('run', '--rm', 'app:1', 'cat', '/list')).split('\n').filter(Boolean)).toEqual([
      '.dockerignore',
      'kept.skip',
      'link',
      'name with space',
      'run.sh',
      'sub',
    ]);
    expect(await ok('run', '--rm', 'app:1', 'stat', '-c', '%a %u', '/app/run.sh')).toBe('750 0\n');
  });

  test('unchanged files are neither sent nor built again', async () => {
    const again = await ok('build', '--progress=plain', '-t', 'app:1', 'app');
    expect(again).toMatch(/RUN ls -A.*\n#\d+ CACHED/);
    writeFileSync(join(work, 'app/sub/where'), 'elsewhere\n');
    rmSync(join(work, 'app/kept.skip'));
    const changed = await ok('build', '--progress=plain', '-t', 'app:1', 'app');
    expect(changed).toMatch(/transferring context: \d\dB/);
    expect(changed).toMatch(/built on elsewhere/);
    expect(await ok('run', '--rm', 'app:1', 'cat', '/list')).not.toContain('kept.skip');
    expect(await ok('build', '--no-cache', '--progress=plain', 'app')).not.toContain('CACHED');
  });

  test('steps are named as by a stock engine: with their values, and each image once', async () => {
    context('named', {
      f: '',
      Dockerfile:
        'FROM busybox AS one\nARG W=world\nCOPY f ${W}.txt\nRUN echo "$W" \\\n  >/w\nONBUILD RUN true $W\nFROM one\nFROM busybox\nCOPY --from=1 /w /w\n',
    });
    const told = await ok('build', '--progress=plain', '-t', 'named', 'named');
    const names = new Set(told.match(/(?<=^#\d+ )\[.*|(?<=^#\d+ )naming.*(?= )/gm));
    expect([...names].filter((name) => !/load (build|\.)/.test(name))).toEqual([
      '[internal] load metadata for docker.io/library/busybox:latest',
      '[one 1/3] FROM docker.io/library/busybox:latest',
      '[one 2/3] COPY f world.txt',
      '[one 3/3] RUN echo "world"   >/w',
      '[stage-1 1/0] RUN true world',
      '[stage-2 2/2] COPY --from=1 /w /w',
      expect.stringMatching(/^naming to docker\.io\/library\/named/),
    ]);
  });

  test('checks warn, or fail the build; clients ask for them, and for what a file takes', async () => {
    const Dockerfile = '# it takes\nARG TAG=latest\nFROM busybox:$TAG AS it\nCOPY $NONE f* /\nCMD x\n';
    context('checked', { Dockerfile, f: '' });
    const told = await ok('build', '--progress=plain', 'checked');
    expect(told).toMatch(/2 warnings found[\s\S]*\$NONE' \(line 4\)[\s\S]*JSONArgsRecommended: .*\(line 5\)/);
    const { stderr } = await run('build', '--build-arg', 'BUILDKIT_DOCKERFILE_CHECK=error=true', 'checked');
    expect(stderr).toMatch(/lint violation found for rules: .*JSONArgsRecommended/);
    const env = { BUILDX_EXPERIMENTAL: '1' };
    const asked = (question: string) => ok('buildx', 'build', `--print=${question}`, 'checked', { env });
    expect(await asked('lint')).toMatch(/WARNING: UndefinedVar - https.*\n.*\nDockerfile:4\n/);
    expect(await asked('outline')).toMatch(/^TARGET: it\n\nBUILD ARG +VALUE +DESCRIPTION\nTAG +latest/);
    expect(await asked('targets')).toMatch(/^TARGET +DESCRIPTION\nit \(default\)/);
    expect(await asked('subrequests.describe')).toMatch(/lint +1\.0\.0/);
    // Such a client builds first, and names the result by another build.
    await ok('buildx', 'build', '-t', 'twice:1', 'checked', { env });
    expect(await ok('run', '--rm', 'twice:1', 'ls', '/f')).toBe('/f\n');
  });

  test('a failure says where, and what was printed', async () => {
    context('failing', { Dockerfile: 'FROM busybox\nRUN echo the reason; exit 7\n' });
    const { code, stderr } = await run('build', '--progress=plain', 'failing');
    expect(code).toBe(1);
    expect(stderr).toMatch(/> \[2\/2\] RUN echo the reason; exit 7:\n[\d.]+ the reason/);
    expect(stderr).toContain('   2 | >>> RUN echo the reason; exit 7');
    expect(stderr).toMatch(/ERROR: failed to solve: process ".*" did not complete successfully: exit code: 7/);
    const missing = await run('build', '-f', 'none.Dockerfile', 'failing');
    expect(missing.stderr).toMatch(/no such file or directory/);
  });

  test('progress is had in each form', async () => {
    const raw = await ok('build', '--progress=rawjson', 'app');
    const lines = raw.split(/(?<=^\})\n/m).filter((line) => line.startsWith('{'));
    expect(lines.flatMap((line) => JSON.parse(line).vertexes ?? [])).toContainEqual(
      expect.objectContaining({
        digest: expect.stringMatching(/^sha256:/),
        name: expect.stringContaining('COPY . /app'),
      }),
    );
    expect(await ok('build', '-q', 'app')).toMatch(/^sha256:[a-f0-9]{64}\n$/);
  });

  test('secrets and agents reach RUN, and no layer', async () => {
    context('private', {
      Dockerfile: [
        'FROM busybox',
        'RUN --mount=type=secret,id=token,target=/t [ "$(rev </t)" = terces-yrev ]',
        'RUN --mount=type=ssh test -S "$SSH_AUTH_SOCK"',
        'RUN --mount=type=secret,id=absent test ! -e /run/secrets/absent',
      ].join('\n'),
    });
    writeFileSync(join(work, 'token'), 'very-secret');
    const agent = execFileSync('ssh-agent', ['-s'], { encoding: 'utf8' });
    const [, SSH_AUTH_SOCK = ''] = /SSH_AUTH_SOCK=([^;]+)/.exec(agent) ?? [];
    const [, pid = ''] = /SSH_AGENT_PID=(\d+)/.exec(agent) ?? [];
    try {
      await ok('build', '--ssh', 'default', '--secret', 'id=token,src=token', '-t', 'private', 'private', {
        env: { SSH_AUTH_SOCK },
      });
    } finally {
      process.kill(Number(pid));
    }
    expect(await ok('history', '--no-trunc', 'private')).not.toContain('very-secret');
    expect(
      execFileSync('sh', ['-c', 'grep -rl very-secret "$1" || true', 'sh', engine.dataRoot], { encoding: 'utf8' }),
    ).toBe('');
  });

  test('arguments, labels, targets, hosts and further contexts arrive', async () => {
    context('further', { 'more.txt': 'more' });
    context('many', {
      'sub/My.Dockerfile': [
        'FROM busybox AS first',
        'ARG WORD=none',
        'RUN --network=none echo $WORD >/word; grep -w fixed /etc/hosts >/hosts; true',
        'COPY --from=extra more.txt /',
        'FROM base',
        'RUN false',
      ].join('\n'),
    });
    const flags = ['--build-arg', 'WORD=said', '--label', 'l=v', '--target', 'first', '--add-host', 'fixed:10.0.0.9'];
    await ok(
      'build',
      ...flags,
      '--build-context',
      'extra=further',
      '--build-context',
      'base=docker-image://app:1',
      '-f',
      'many/sub/My.Dockerfile',
      '-t',
      'many',
      'many',
    );
    expect(await ok('run', '--rm', 'many', 'cat', '/word', '/more.txt')).toBe('said\nmore');
    expect(await ok('image', 'inspect', '-f', '{{.Config.Labels.l}}', 'many')).toBe('v\n');
  });

  test('contexts come on the standard input, too', async () => {
    await ok('build', '-t', 'piped:1', '-', { input: 'FROM busybox\nRUN echo piped >/p\n' });
    const tar = execFileSync('tar', ['-C', join(work, 'app'), '-cf', '-', '.']);
    await ok('build', '-t', 'piped:2', '-', { input: tar });
    expect(await ok('run', '--rm', 'piped:1', 'cat', '/p')).toBe('piped\n');
    expect(await ok('run', '--rm', 'piped:2', 'cat', '/app/sub/where')).toBe('elsewhere\n');
  });

  describe('results go', () => {
    const before: string[] = [];
    beforeAll(async () => {
      context('out', {
        Dockerfile:
          'FROM busybox AS b\nRUN mkdir -p /o/d && echo x >/o/d/f && ln /o/d/f /o/h && ln -s d /o/s\nFROM scratch\nCOPY --from=b /o /\n',
      });
      before.push(...(await images()));
    });
    afterAll(async () => expect((await images()).sort()).toEqual(before.sort()));

    test('to a directory', async () => {
      await ok('buildx', 'build', '-o', 'dest', 'out');
      expect(readdirSync(join(work, 'dest')).sort()).toEqual(['d', 'h', 's']);
      expect(readFileSync(join(work, 'dest/s/f'), 'utf8')).toBe('x\n');
    });
    test('to a tar', async () => {
      await ok('buildx', 'build', '-o', 'type=tar,dest=out.tar', 'out');
      const names = execFileSync('tar', ['-tf', join(work, 'out.tar')], { encoding: 'utf8' });
      expect(names.split('\n').filter(Boolean)).toEqual(['d/', 'd/f', 'h', 's']);
    });
    test.each(['docker', 'oci'])('to an archive of the form %s', async (type) => {
      await ok('buildx', 'build', '-o', `type=${type},dest=${type}.tar`, '-t', `exported/${type}:7`, 'out');
      expect(await ok('load', '-i', `${type}.tar`)).toContain(`exported/${type}:7`);
      await ok('rmi', `exported/${type}:7`);
    });
    test.skipIf(!hasRegistry)('to a registry, or fails', async () => {
      await using registry = await Registry.start();
      const name = `${registry.host}/pushed:1`;
      await ok('buildx', 'build', '--push', '-t', name, 'out');
      await ok('rmi', name);
      expect(await ok('pull', '-q', name)).toBe(`${name}\n`);
      await ok('rmi', name);
      const refused = await run('buildx', 'build', '--push', '-t', '127.0.0.1:1/x:1', 'out');
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('connection refused') });
      await ok('rmi', '127.0.0.1:1/x:1');
    });
    test('nowhere but to the cache', async () => {
      await ok('buildx', 'build', '-o', 'type=cacheonly', 'out');
    });
    test('not where nothing serves it', async () => {
      const { stderr } = await run('buildx', 'build', '-o', 'type=image,push=true,name=x,annotation.a=b', 'out');
      expect(stderr).toMatch(/annotation/);
    });
  });

  test('bake builds targets that are made of each other', async () => {
    writeFileSync(
      join(work, 'bake.json'),
      JSON.stringify({
        group: { default: { targets: ['top', 'side'] } },
        target: {
          bottom: { context: 'further', 'dockerfile-inline': 'FROM busybox\nCOPY more.txt /bottom' },
          top: {
            context: '.',
            contexts: { under: 'target:bottom' },
            'dockerfile-inline': 'FROM under\nRUN cp /bottom /top',
            tags: ['top:1'],
          },
          side: {
            context: 'further',
            'dockerfile-inline': 'FROM busybox\nARG V\nRUN echo $V >/v',
            args: { V: '5' },
            tags: ['side:1'],
          },
        },
      }),
    );
    await ok('buildx', 'bake', '-f', 'bake.json');
    expect(await ok('run', '--rm', 'top:1', 'cat', '/top')).toBe('more');
    expect(await ok('run', '--rm', 'side:1', 'cat', '/v')).toBe('5\n');
    expect(await ok('buildx', 'bake', '-f', 'bake.json', '--print')).toContain('target:bottom');
  });

  test('Compose builds what it brings up', async () => {
    context('composed', {
      'compose.yaml':
        'services:\n  one:\n    build: .\n    command: cat /said\n  two:\n    build: {context: ., target: other, args: {W: two}}\n    image: named\n    command: cat /said\n',
      Dockerfile: 'FROM busybox AS other\nARG W=none\nRUN echo $W >/said\nFROM other\n',
    });
    const cwd = join(work, 'composed');
    const told = await ok('compose', 'up', '--build', '--no-color', { cwd });
    expect(told).toMatch(/one-1\s+\| none/);
    expect(told).toMatch(/two-1\s+\| two/);
    await ok('compose', 'down', { cwd });
  });

  test('the cache is listed and pruned', async () => {
    expect(await ok('buildx', 'du')).toMatch(/^ID\s+RECLAIMABLE\s+SIZE[\s\S]*\nTotal:\s+[\d.]+\w?B/);
    expect(await ok('buildx', 'du', '--filter', 'type=source.local')).toMatch(/\*?\s+true/);
    expect(await ok('buildx', 'prune', '-af')).toMatch(/Total:/);
    expect(await ok('build', '--progress=plain', '-t', 'app:1', 'app')).not.toContain('CACHED');
    expect(await ok('run', '--rm', 'app:1', 'cat', '/app/sub/where')).toBe('elsewhere\n');
  });

  test('a client that leaves ends its build', async () => {
    context('endless', { Dockerfile: 'FROM busybox\nRUN echo it began; sleep 1000\n' });
    const env = { ...process.env, DOCKER_CONFIG: config, DOCKER_HOST: `unix://${engine.socket}` };
    const child = spawn('docker', ['build', '--progress=plain', 'endless'], { cwd: work, env });
    let told = '';
    child.stderr.on('data', (chunk: Buffer) => {
      told += chunk.toString();
    });
    await expect.poll(() => told).toMatch(/[\d.]+ it began/);
    child.kill('SIGINT');
    await once(child, 'close');
    await expect.poll(() => ok('ps', '-aq')).toBe('\n'.trim());
  });

  test.each<[string, string[], RegExp]>([
    ['several platforms', ['--platform', 'linux/amd64,linux/arm64'], /one at a time/],
    ['attestations', ['--sbom=true'], /[Aa]ttestation/],
    ['a syntax of others', ['--build-arg', 'BUILDKIT_SYNTAX=evil/frontend'], /evil\/frontend is not run/],
  ])('%s is refused with advice', async (_name, flags, message) => {
    const { code, stderr } = await run('build', ...flags, 'app');
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('Unimplemented');
  });
});
