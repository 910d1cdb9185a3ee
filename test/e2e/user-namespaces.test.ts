import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Engine, startEngine } from './support/engine.js';

/**
 * `cleatd --userns-remap default`. The engine has a mount namespace of its own, in which /etc can be written to: the user
 * `dockremap` and its ranges are made there, and not on this host.
 */
let engine: Engine;
let etc: string;
let docker: Engine['docker'];
beforeAll(async () => {
  etc = mkdtempSync(join(tmpdir(), 'cleat-etc-'));
  for (const name of ['upper', 'work']) mkdirSync(join(etc, name), { mode: 0o755 });
  writeFileSync(join(etc, 'upper', 'subuid'), 'somebody:100000:65536\n');
  writeFileSync(join(etc, 'upper', 'subgid'), '');
  const overlay = `lowerdir=/etc,upperdir=${etc}/upper,workdir=${etc}/work`;
  engine = await startEngine({
    enter: [
      'unshare',
      '--mount',
      '--propagation=slave',
      'sh',
      '-c',
      `mount -t overlay overlay -o ${overlay} /etc; exec "$0" "$@"`,
    ],
    flags: ['--userns-remap=default', '--add-runtime=other=/usr/sbin/runc'],
  });
  docker = engine.docker.bind(engine);
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  rmSync(etc, { recursive: true, force: true });
});

const out = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await docker(...args);
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: expect.any(String) });
  return stdout.trim();
};
const run = (...args: string[]): Promise<string> => out('run', '--rm', ...args);
const refusal = async (...args: string[]): Promise<string> => {
  const { code, stderr } = await docker(...args);
  expect(code).not.toBe(0);
  return stderr;
};
const sh = (script: string): string[] => ['busybox', 'sh', '-c', script];

test('the user is made, with ranges that nobody has; data lies apart; info tells', async () => {
  expect(readFileSync(join(etc, 'upper', 'subuid'), 'utf8')).toContain('dockremap:165536:65536');
  expect(readFileSync(join(etc, 'upper', 'subgid'), 'utf8')).toContain('dockremap:100000:65536');
  expect(await out('info', '--format', '{{.DockerRootDir}} {{.SecurityOptions}}')).toMatch(
    new RegExp(`^${engine.dataRoot}/165536\\.100000 \\[.*name=userns`),
  );
});

describe.each(['crun', 'other'])('with the runtime %s', (runtime) => {
  const here = ['--runtime', runtime];

  test('root is nobody on the host, and root inside', async () => {
    const script =
      'id -u; cat /proc/self/uid_map /proc/self/gid_map; ls -lnd / /etc/hosts; echo x > /made; ls -ln /made';
    const text = await run(...here, ...sh(script));
    expect(text.split('\n').map((line) => line.trim().split(/\s+/).slice(0, 4).join(' '))).toEqual([
      '0',
      '0 165536 65536',
      '0 100000 65536',
      expect.stringMatching(/ 0 0$/),
      expect.stringMatching(/ 0 0$/),
      expect.stringMatching(/ 0 0$/),
    ]);
  });

  test('output can be opened by name, also by further processes; ports below 1024 are its own', async () => {
    expect(await run(...here, ...sh('echo one > /dev/stdout'))).toBe('one');
    expect(await run(...here, '-u', '1000', ...sh('echo two > /dev/stdout'))).toBe('two');
    const id = await out('run', '-d', ...here, ...sh('httpd -p 80; sleep 1000'));
    try {
      expect(await out('exec', id, 'sh', '-c', 'echo three > /dev/stdout')).toBe('three');
      expect(await out('exec', '-u', '7', id, 'sh', '-c', 'id -u > /dev/stdout')).toBe('7');
      expect(await out('exec', id, 'sh', '-c', 'netstat -ltn | grep -q :80 && cat /proc/self/uid_map')).toMatch(
        /165536/,
      );
      expect(await out('top', id, '-eo', 'pid,uid,args')).toMatch(/165536 +sleep 1000/);
      const [, address = ''] = /inet (\S+) .*eth0/.exec(await out('exec', id, 'ip', 'address')) ?? [];
      expect(address).not.toBe('');
      // A container that shares its namespaces shares its user namespace.
      const shared = await run(
        ...here,
        '--network',
        `container:${id}`,
        '--pid',
        `container:${id}`,
        ...sh('ip address; ps'),
      );
      expect(shared).toContain(address);
      expect(shared).toContain('sleep 1000');
    } finally {
      await docker('rm', '-f', id);
    }
  });

  test('files keep the owners that the container sees: cp, export, commit', async () => {
    const id = await out('create', ...here, '-v', '/vol', ...sh('echo a > /own; chown 7:8 /own; ls -ln /in /vol/in'));
    const local = mkdtempSync(join(tmpdir(), 'cleat-cp-'));
    try {
      writeFileSync(join(local, 'in'), 'x');
      await out('cp', join(local, 'in'), `${id}:/in`);
      await out('cp', join(local, 'in'), `${id}:/vol/in`);
      const listed = await out('start', '-a', id);
      expect(listed.split('\n').map((line) => line.split(/\s+/).slice(2, 4))).toEqual([
        ['0', '0'],
        ['0', '0'],
      ]);
      // Octal numbers at their places in a tar's header.
      const header = await out('cp', `${id}:/own`, '-');
      expect([header.slice(108, 115), header.slice(116, 123)]).toEqual(['0000007', '0000010']);
      await out('commit', id, `made-${runtime}`);
      expect(await run(`made-${runtime}`, 'stat', '-c', '%u:%g', '/own')).toBe('7:8');
      // On the host's disk as in the image: with and without a remap it is the same layer.
      const upper = await out('inspect', '-f', '{{.GraphDriver.Data.UpperDir}}', id);
      expect(statSync(join(upper, 'own'))).toMatchObject({ uid: 7, gid: 8 });
    } finally {
      await docker('rm', '-fv', id);
      await docker('rmi', `made-${runtime}`);
      rmSync(local, { recursive: true });
    }
  });

  test('volumes and new bind sources belong to its root; the rest of the host is out of reach', async () => {
    const volume = `vol-${runtime}`;
    const bound = join(etc, `bound-${runtime}`);
    await run(...here, '-v', `${volume}:/data`, '-v', `${bound}:/b`, ...sh('touch /data/f /b/f'));
    const data = join(engine.dataRoot, '165536.100000', 'volumes', volume, '_data');
    for (const path of [data, join(data, 'f'), bound, join(bound, 'f')]) {
      expect({ path, ...statSync(path) }).toMatchObject({ path, uid: 165_536, gid: 100_000 });
    }
    await out('volume', 'rm', volume);
    const hosts = join(etc, `hosts-${runtime}`);
    mkdirSync(hosts);
    expect(await refusal('run', '--rm', ...here, '-v', `${hosts}:/h`, ...sh('touch /h/f'))).toContain(
      'Permission denied',
    );
  });

  test('images as mounts, a shared memory of others, networks, sysctls, a terminal', async () => {
    expect(
      await run(...here, '--mount', 'type=image,source=busybox,target=/i', 'busybox', 'stat', '-c', '%u', '/i/bin'),
    ).toBe('0');
    const id = await out('run', '-d', ...here, '--ipc', 'shareable', 'busybox', 'sleep', '1000');
    try {
      await run(...here, '--ipc', `container:${id}`, ...sh('touch /dev/shm/f'));
      expect(await out('exec', id, 'stat', '-c', '%u', '/dev/shm/f')).toBe('0');
      await out('network', 'create', `net-${runtime}`);
      await out('network', 'connect', `net-${runtime}`, id);
      expect(await out('exec', id, 'ip', '-o', 'address')).toMatch(/eth1 +inet /);
      expect(await out('exec', '-t', '-u', '7', id, 'sh', '-c', 'until echo t > $(tty); do :; done 2>/dev/null')).toBe(
        't',
      );
    } finally {
      await docker('rm', '-f', id);
      await docker('network', 'rm', `net-${runtime}`);
    }
    const sysctls = ['--sysctl', 'net.ipv4.ip_forward=1', '--sysctl', 'kernel.msgmax=9000'];
    const read = sh('cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax');
    expect(await run(...here, ...sysctls, ...read)).toBe('1\n9000');
    expect(await run(...here, '--ipc', 'host', '--uts', 'host', '--network', 'none', 'busybox', 'id', '-u')).toBe('0');
  });
});

test("options that need the host's users are refused, and can be had with --userns=host", async () => {
  expect(await refusal('run', '--rm', '--privileged', 'busybox')).toContain(
    'privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode',
  );
  expect(await refusal('run', '--rm', '--network=host', 'busybox')).toContain(
    "cannot share the host's network namespace when user namespaces are enabled",
  );
  expect(await refusal('run', '--rm', '--pid=host', 'busybox')).toContain(
    'cannot share the host PID namespace when user namespaces are enabled',
  );
  expect(await refusal('run', '--rm', '-u', '70000', 'busybox', 'id')).toContain('Container ID 70000 cannot be mapped');
  const all = ['--userns=host', '--privileged', '--network=host', '--pid=host'];
  expect(await run(...all, ...sh('cat /proc/self/uid_map; stat -c %u /bin'))).toMatch(/^ *0 +0 +4294967295\n0$/);
  const id = await out('run', '-d', '--userns=host', 'busybox', 'sleep', '1000');
  expect(await refusal('run', '--rm', '--network', `container:${id}`, 'busybox')).toContain(
    "which has the host's users",
  );
  await docker('rm', '-f', id);
});

test('a build runs with the same users, and mounts are seen with their owners', async () => {
  const dockerfile = `FROM busybox AS one
RUN cat /proc/self/uid_map && mkdir /made && echo 1 > /made/f && chown 7:8 /made/f && chmod 600 /made/f
RUN touch /made/more && chmod 600 /made/more
FROM busybox
COPY --from=one /made /made
COPY --chown=9:9 file /file
RUN --mount=type=cache,target=/cache touch /cache/a && stat -c %u /cache/a
RUN --mount=type=bind,from=one,target=/one cat /one/made/f && cat /one/made/more
RUN --mount=type=bind,from=one,target=/one,rw echo 2 > /one/made/more && touch /one/new
RUN --mount=type=bind,target=/ctx,rw cat /ctx/file && touch /ctx/new
RUN <<EOT
stat -c '%u:%g' /made/f /file > /seen
EOT
`;
  const context = mkdtempSync(join(tmpdir(), 'cleat-context-'));
  try {
    writeFileSync(join(context, 'Dockerfile'), dockerfile);
    writeFileSync(join(context, 'file'), 'x', { mode: 0o600 });
    const { code, stdout, stderr } = await docker('build', '-t', 'built', context, { env: { DOCKER_BUILDKIT: '0' } });
    expect({ code, stdout, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toMatch(/0 +165536 +65536/);
    expect(await run('built', 'cat', '/seen')).toBe('7:8\n9:9');
  } finally {
    rmSync(context, { recursive: true });
    await docker('rmi', 'built');
  }
});

test('a killed engine finds its containers again, and shows them nothing else', async () => {
  const id = await out('run', '-d', ...sh('while sleep 0.1; do date > /now; done'));
  await engine.kill('SIGKILL');
  await engine.restart();
  expect(await out('exec', id, 'sh', '-c', 'touch /after && stat -c %u /after')).toBe('0');
  await out('restart', '-t', '0', id);
  expect(await out('exec', id, 'stat', '-c', '%u', '/after')).toBe('0');
  await out('rm', '-f', id);
});
