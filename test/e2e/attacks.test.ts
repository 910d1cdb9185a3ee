import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';

/** Attacks that have worked on other engines, where no other test shows that they fail here (test/unit/attacks.test.ts). */
let engine: Engine;
let place: string;
const { ok } = clientOf(() => engine);
beforeAll(async () => {
  engine = await startEngine();
  place = mkdtempSync('/tmp/cleat-e2e-attacks-');
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(place, { recursive: true, force: true });
});

describe('cp', () => {
  test('runs no program, and loads no library, of the container', async () => {
    // Each would leave a mark where it ran: on the host, or in the container.
    const mark = join(place, 'ran');
    const programs = 'xz unxz gzip gunzip unpigz zstd bzip2 tar chroot';
    const script = [
      `for p in ${programs}; do for d in /bin /usr/bin /usr/local/bin /sbin; do mkdir -p $d; rm -f $d/$p`,
      `printf '#!/bin/sh\\ntouch ${mark} /ran\\nexec cat\\n' > $d/$p; chmod 755 $d/$p; done; done`,
      'for l in libnss_files.so.2 libnss_dns.so.2 libc.so.6 libz.so.1; do mkdir -p /lib64 /lib/x86_64-linux-gnu; echo no > /lib/$l; echo no > /lib64/$l; echo no > /lib/x86_64-linux-gnu/$l; done',
      "echo 'passwd: x y z' > /etc/nsswitch.conf; echo /evil.so > /etc/ld.so.preload; exec sleep 1000000",
    ].join('; ');
    await ok('run', '-d', '--name', 'trap', 'busybox', '/bin/sh', '-c', script);
    await expect.poll(async () => (await engine.docker('exec', 'trap', 'cat', '/etc/ld.so.preload')).code).toBe(0);
    writeFileSync(join(place, 'file'), 'sent');
    for (const [flag, name] of [
      ['-J', 'xz'],
      ['-z', 'gzip'],
      ['--zstd', 'zstd'],
      ['-j', 'bzip2'],
    ] as const) {
      const archive = execFileSync('tar', ['-C', place, flag, '--transform', `s/file/${name}/`, '-c', 'file']);
      const { code, stderr } = await engine.docker('cp', '-', 'trap:/tmp', { input: archive });
      expect({ name, code, stderr }).toEqual({ name, code: 0, stderr: '' });
      await ok('cp', `trap:/tmp/${name}`, join(place, name));
      expect(readFileSync(join(place, name), 'utf8')).toBe('sent');
    }
    await ok('cp', 'trap:/etc', join(place, 'etc'));
    await ok('export', '-o', join(place, 'export.tar'), 'trap');
    expect((await engine.docker('exec', 'trap', '/bin/busybox', 'ls', '/ran')).code).not.toBe(0);
    expect(() => statSync(mark)).toThrow('ENOENT');
    await ok('rm', '-f', 'trap');
  });

  test('files of containers and images are for nobody else on the host', async () => {
    await ok('create', '--name', 'kept', 'busybox');
    const open = execFileSync('find', [engine.dataRoot, '-maxdepth', '0', '-perm', '/o+rwx'], { encoding: 'utf8' });
    expect(open).toBe('');
    await ok('rm', 'kept');
  });
});

describe('a build', () => {
  const classic = { env: { DOCKER_BUILDKIT: '0' }, timeoutMs: 120_000 };

  test.each(['--upload-pack=touch${IFS}ran', '-oProxyCommand=x', '--output=/etc/x'])(
    'takes the reference %s of a repository for no option of git',
    async (ref) => {
      for (const remote of [`https://x.invalid/y.git#${ref}`, `git://x.invalid/y#${ref}:d`]) {
        const { status, body } = await engine.api('POST', `/build?remote=${encodeURIComponent(remote)}`);
        expect({ status, body }).toEqual({ status: 400, body: expect.stringContaining('invalid refspec') });
      }
    },
  );

  test('takes no step from an image that somebody made to look like its result', async () => {
    const run = 'echo good > /result';
    await ok('run', '--name', 'poison', 'busybox', 'sh', '-c', 'echo evil > /result');
    await ok('commit', '--change', `CMD ["/bin/sh", "-c", "${run}"]`, 'poison', 'poison');
    await ok('save', '-o', join(place, 'poison.tar'), 'poison');
    await ok('rmi', 'poison');
    // As a registry or an archive would bring it: of the same parent, and with the step in its history.
    const changed = join(place, 'changed');
    mkdirSync(changed);
    execFileSync('tar', ['-C', changed, '-xf', join(place, 'poison.tar')]);
    const [{ Config = '' } = {}] = JSON.parse(readFileSync(join(changed, 'manifest.json'), 'utf8')) as {
      Config?: string;
    }[];
    const config = JSON.parse(readFileSync(join(changed, Config), 'utf8'));
    const [inner] = JSON.parse(await ok('image', 'inspect', 'busybox')) as [{ Id: string; Config: object }];
    const step = ['/bin/sh', '-c', run];
    const forged = {
      ...config,
      parent: inner.Id,
      config: inner.Config,
      container_config: { ...inner.Config, Cmd: step },
      history: [...config.history.slice(0, -1), { ...config.history.at(-1), created_by: step.join(' ') }],
    };
    writeFileSync(join(changed, 'forged.json'), JSON.stringify(forged));
    const manifest = JSON.parse(readFileSync(join(changed, 'manifest.json'), 'utf8'));
    writeFileSync(join(changed, 'manifest.json'), JSON.stringify([{ ...manifest[0], Config: 'forged.json' }]));
    rmSync(join(changed, 'index.json'), { force: true });
    rmSync(join(changed, 'oci-layout'), { force: true });
    execFileSync('tar', ['-C', changed, '-cf', join(place, 'forged.tar'), '.']);
    await ok('load', '-i', join(place, 'forged.tar'));
    expect(await ok('run', '--rm', 'poison', 'cat', '/result')).toBe('evil');
    const context = join(place, 'context');
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), `FROM busybox\nRUN ${run}\n`);
    for (const flags of [[], ['--cache-from', 'poison']]) {
      const { code, stderr } = await engine.docker('build', '-t', 'built', ...flags, context, classic);
      expect({ code, said: code === 0 ? '' : stderr }).toEqual({ code: 0, said: '' });
      expect(await ok('run', '--rm', 'built', 'cat', '/result')).toBe('good');
    }
  });

  test('mounts of RUN and sources of COPY lead to no place of the host', async () => {
    const context = join(place, 'leads');
    mkdirSync(context);
    writeFileSync(join(place, 'host-secret'), 'of the host');
    symlinkSync(place, join(context, 'absolute'));
    symlinkSync('../'.repeat(20), join(context, 'up'));
    const steps = [
      'RUN --mount=type=bind,source=absolute,target=/x cat /x/host-secret',
      `RUN --mount=type=bind,source=up${place},target=/x cat /x/host-secret`,
      `RUN --mount=type=bind,source=../../../../../..${place},target=/x cat /x/host-secret`,
      `RUN --mount=type=cache,source=../../../../../..${place},target=/x cat /x/host-secret`,
      `RUN --mount=type=cache,id=../../../../../..${place},target=/x cat /x/host-secret`,
      `RUN --mount=type=bind,from=busybox,source=../../../../../..${place},target=/x cat /x/host-secret`,
      `RUN --mount=type=cache,target=/x,bind-propagation=shared,from=${place} cat /x/host-secret`,
      'COPY absolute/host-secret /x/',
      `COPY up${place}/host-secret /x/`,
      `COPY ../../../../../..${place}/host-secret /x/`,
      `ADD ../../../../../..${place}/host-secret /x/`,
    ];
    for (const step of steps) {
      writeFileSync(join(context, 'Dockerfile'), `FROM busybox\n${step}\nRUN cat /x/host-secret\n`);
      const { code, stdout, stderr } = await engine.docker('build', '--no-cache', context, classic);
      expect({ step, refused: code !== 0 }).toEqual({ step, refused: true });
      expect(stdout + stderr).not.toContain('of the host');
    }
  });
});
