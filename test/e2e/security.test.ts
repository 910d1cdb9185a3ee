import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';

/** Things that a container may not do, and things that a client may not do. */
let engine: Engine;
let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp('/tmp/cleat-e2e-security-');
  engine = await startEngine();
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});
afterEach(() => removeAll(engine));
const program = fileURLToPath(new URL('../../bin/cleatd', import.meta.url));
const { ok, refused } = clientOf(() => engine);
const status = async (field: string, ...args: string[]): Promise<string> => {
  const text = await ok('run', '--rm', ...args, 'busybox', 'cat', '/proc/self/status');
  return new RegExp(`^${field}:\\s*(\\S+)`, 'm').exec(text)?.[1] ?? '';
};

describe('a container by default', () => {
  test("has Docker's fourteen capabilities, none of them inheritable", async () => {
    expect(await status('CapEff')).toBe('00000000a80425fb');
    expect(await status('CapInh')).toBe('0000000000000000');
    expect(await status('CapEff', '--cap-drop', 'ALL', '--cap-add', 'NET_ADMIN')).toBe('0000000000001000');
    expect(await status('CapEff', '-u', '1000')).toBe('0000000000000000');
    expect(await refused('run', '--rm', '--cap-add', 'NOPE', 'busybox', 'true')).toContain('CAP_NOPE');
  });
  test('runs under a seccomp filter, unless told otherwise', async () => {
    expect(await status('Seccomp')).toBe('2');
    expect(await status('Seccomp', '--security-opt', 'seccomp=unconfined')).toBe('0');
    // A profile without a default and a rule filters nothing.
    const empty = join(scratch, 'empty.json');
    await writeFile(empty, '{}');
    expect(await status('Seccomp', '--security-opt', `seccomp=${empty}`)).toBe('0');
    expect(await status('Seccomp', '--privileged')).toBe('0');
    const { code } = await engine.docker('run', '--rm', 'busybox', 'unshare', '-U', 'true');
    expect(code).not.toBe(0);
  });
  test('cannot gain privileges when told so', async () => {
    expect(await status('NoNewPrivs')).toBe('0');
    expect(await status('NoNewPrivs', '--security-opt', 'no-new-privileges')).toBe('1');
  });
  test('does not see what is masked, nor write what is read-only', async () => {
    // Which of them there are depends on the kernel.
    const masked = '/proc/kcore /proc/keys /proc/timer_list /proc/latency_stats /proc/acpi /proc/scsi /sys/firmware';
    const script = `for f in ${masked}; do [ -d $f ] && ls $f; [ -f $f ] && head -c 10 $f; done; true`;
    expect(execFileSync('sh', ['-c', script], { encoding: 'utf8' })).not.toBe('');
    expect(await ok('run', '--rm', 'busybox', 'sh', '-c', script)).toBe('');
    expect(
      (await engine.docker('run', '--rm', 'busybox', 'sh', '-c', 'echo 1 > /proc/sys/kernel/panic')).code,
    ).not.toBe(0);
    const cgroup = '[ -d /sys/fs/cgroup/memory ] && cd /sys/fs/cgroup/memory || cd /sys/fs/cgroup; mkdir x';
    expect((await engine.docker('run', '--rm', 'busybox', 'sh', '-c', cgroup)).stderr).toContain('Read-only');
    expect((await engine.docker('run', '--rm', 'busybox', 'mknod', '/dev/sda', 'b', '8', '0')).code).toBe(0);
    expect(
      (await engine.docker('run', '--rm', 'busybox', 'sh', '-c', 'mknod /dev/x b 254 0; cat /dev/x')).stderr,
    ).toContain('not permitted');
  });
  test('sees what is bound as it is mounted on the host: read-only, and without its programs', async () => {
    const [inert, shown, link] = ['inert', 'shown', 'link'].map((name) => join(scratch, name)) as [
      string,
      string,
      string,
    ];
    const mount = (...args: string[]) => execFileSync('mount', args);
    await mkdir(inert);
    await mkdir(shown);
    await symlink(shown, link);
    try {
      mount('-t', 'tmpfs', '-o', 'nosuid,nodev,noexec', 'tmpfs', inert);
      await writeFile(join(inert, 'program'), '#!/bin/sh\n', { mode: 0o4755 });
      mount('--bind', inert, shown);
      mount('-o', 'remount,bind,ro,nosuid,nodev', shown);
      const binds = ['-v', `${inert}:/inert`, '-v', `${link}:/shown`, '-v', `${inert}:/again:ro`];
      await ok('run', '-d', '--name', 'bound', '--ipc', 'shareable', ...binds, 'busybox', 'top');
      const mounts = await ok('exec', 'bound', 'cat', '/proc/mounts');
      expect(mounts).toMatch(/ \/inert tmpfs rw,nosuid,nodev,noexec/);
      expect(mounts).toMatch(/ \/shown tmpfs ro,nosuid,nodev/);
      expect(mounts).toMatch(/ \/dev\/shm tmpfs rw,nosuid,nodev,noexec/);
      expect(mounts).toMatch(/ \/again tmpfs ro/);
      expect(await refused('exec', 'bound', 'touch', '/shown/x')).toContain('Read-only file system');
      expect((await engine.docker('exec', 'bound', '/inert/program')).code).toBe(126);
    } finally {
      await ok('rm', '-f', 'bound');
      for (const target of [shown, inert]) execFileSync('umount', [target]);
    }
  });
  test('has nothing mounted over /proc', async () => {
    for (const destination of ['/proc', '/proc/self/attr', '/proc/x']) {
      const text = await refused('run', '--rm', '-v', `${scratch}:${destination}`, 'busybox', 'true');
      expect(text).toContain('cannot be mounted because it is');
    }
    await writeFile(join(scratch, 'uptime'), '1.00 1.00\n');
    const own = ['-v', `${join(scratch, 'uptime')}:/proc/uptime`];
    expect(await ok('run', '--rm', ...own, 'busybox', 'cat', '/proc/uptime')).toBe('1.00 1.00');
  });
  test('signals nobody outside, whatever a further process does; and that has a home and its terminal', async () => {
    await ok('run', '-d', '--name', 'target', '-u', '1000', 'busybox', 'top');
    expect((await engine.docker('exec', 'target', 'sh', '-c', 'trap "kill -TERM 0" EXIT; exit 3')).code).toBe(143);
    expect((await engine.docker('exec', 'target', 'sh', '-c', 'kill -KILL 0')).code).toBe(137);
    expect(await ok('exec', '-u', '5', 'target', 'sh', '-c', 'echo $HOME; cat /proc/self/oom_score_adj')).toBe('/\n0');
    // crun before 1.8.2 leaves it to the container's user; the engine gives it away as soon as the process is there.
    const terminal = 'until echo >$(tty); do sleep 0.1; done 2>/dev/null; stat -c %u $(tty)';
    expect(await ok('exec', '-t', '-u', '7', 'target', 'timeout', '20', 'sh', '-c', terminal)).toMatch(/^7$/m);
    expect(await ok('ps', '-q', '--filter', 'name=target')).not.toBe('');
  });
  test('--privileged has all of it', async () => {
    expect(BigInt(`0x${await status('CapEff', '--privileged')}`)).toBeGreaterThan(0x1ffffffffn);
  });
});

describe('paths do not lead out', () => {
  test('cp through symlinks, absolute and relative, stays inside', async () => {
    await ok(
      'run',
      '-d',
      '--name',
      'trap',
      'busybox',
      'sh',
      '-c',
      'ln -s /etc/shadow /a; ln -s ../../../../../../etc /b; sleep 1000',
    );
    await sleep(300);
    await ok('cp', '/etc/hostname', 'trap:/tmp/x');
    const { code } = await engine.docker('cp', '-L', 'trap:/a', join(scratch, 'a'));
    if (code === 0) expect(await readFile(join(scratch, 'a'), 'utf8')).not.toBe(await readFile('/etc/shadow', 'utf8'));
    await ok('cp', 'trap:/b/passwd', join(scratch, 'passwd'));
    expect(await readFile(join(scratch, 'passwd'), 'utf8')).not.toBe(await readFile('/etc/passwd', 'utf8'));
    const before = await stat('/etc');
    await ok('cp', '/etc/hostname', 'trap:/b/cleat-was-here');
    expect((await stat('/etc')).mtimeMs).toBe(before.mtimeMs);
  });
  test('an /etc/passwd that is a FIFO or leads out does not hang or fool the engine', async () => {
    await ok('run', '--name', 'fifo', 'busybox', 'sh', '-c', 'rm /etc/passwd; mkfifo /etc/passwd');
    await ok('commit', 'fifo', 'fifo:1');
    const { code } = await engine.docker('run', '--rm', '-u', 'root', 'fifo:1', 'true');
    expect(code).not.toBe(0);
    await ok('rmi', 'fifo:1').catch(() => {});
  });
});

describe('the socket', () => {
  test('is 0660', async () => {
    expect((await stat(engine.socket)).mode & 0o777).toBe(0o660);
  });
  test('bytes on a hijacked stream are never a request', async () => {
    const id = await ok('run', '-di', 'busybox', 'cat');
    const attack =
      'POST /containers/create?name=smuggled HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{"Image":"busybox"}';
    const socket = connect(engine.socket);
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
    });
    socket.write(
      `POST /containers/${id}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n${attack}`,
    );
    await expect.poll(() => answer).toContain('smuggled');
    await sleep(300);
    socket.destroy();
    expect(await ok('ps', '-a', '--format', '{{.Names}}')).not.toContain('smuggled');
  });
  test('a client that sends HTTP nonsense gets an answer and leaves the engine alive', async () => {
    for (const junk of ['\0\0\0\0\r\n\r\n', 'GET\r\n\r\n', `GET /${'a'.repeat(100_000)} HTTP/1.1\r\n\r\n`]) {
      await new Promise<void>((resolve) => {
        const socket = connect(engine.socket, () => socket.end(junk));
        socket
          .on('close', () => resolve())
          .on('error', () => {})
          .resume();
      });
    }
    expect(await ok('version', '--format', '{{.Server.Os}}')).toBe('linux');
  });
  test('a body that is too deep or of the wrong type is a 400', async () => {
    expect((await post('/containers/create', '[')).status).toBe(400);
    expect((await post('/containers/create', '{"Image": 5}')).status).toBe(400);
    expect((await post('/containers/create', `{"Image":${'['.repeat(100_000)}`)).status).toBe(400);
    expect(await ok('ps', '-aq')).toBe('');
  });
});

test('TCP beyond loopback without TLS is refused, loopback is not', async () => {
  const cleatd = (host: string): string => {
    try {
      return execFileSync(
        program,
        ['-H', host, '--validate', '--data-root', join(scratch, 'd'), '--exec-root', join(scratch, 'e')],
        {
          encoding: 'utf8',
          stdio: 'pipe',
        },
      );
    } catch (error) {
      return error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    }
  };
  expect(cleatd('tcp://0.0.0.0:23750')).toMatch(/TLS/);
  expect(cleatd('tcp://127.0.0.1:23750')).not.toMatch(/refus/);
});

async function post(path: string, body: string): Promise<{ status: number }> {
  const call = request({
    socketPath: engine.socket,
    path,
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
  });
  call.end(body);
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  response.resume();
  return { status: response.statusCode ?? 0 };
}
