import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { type Engine, startEngine } from './support/engine.js';
import { testNeeding, uses } from './support/needs.js';
import { onTerminal } from './support/terminal.js';

/** `docker run` in all its forms, with the stock client. */
let engine: Engine;
let scratch: string;
beforeAll(async () => {
  engine = await startEngine();
  scratch = await mkdtemp('/tmp/cleat-e2e-run-');
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

const test = testNeeding(uses.container);
const run = (...args: string[]) => engine.docker('run', '--rm', ...args);
const out = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await run(...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
};

describe('exit codes', () => {
  test("the container's own", async () => {
    expect((await run('busybox', 'sh', '-c', 'exit 42')).code).toBe(42);
  });
  testNeeding(uses.log)('125 for what the engine refuses', async () => {
    const unknown = await run('--network', 'nowhere', 'busybox', 'true');
    expect(unknown.code).toBe(125);
    expect(unknown.stderr).toContain('network nowhere not found');
    expect((await run('--runtime', 'nowhere', 'busybox', 'true')).code).toBe(125);
  });
  test('126 for what cannot be executed, 127 for what is not there', async () => {
    const directory = await run('busybox', '/etc');
    expect({ code: directory.code, text: /permission denied|is a directory/.test(directory.stderr) }).toEqual({
      code: 126,
      text: true,
    });
    const missing = await run('busybox', 'no-such-program');
    expect(missing.code).toBe(127);
    expect(missing.stderr).toContain('executable file not found in $PATH');
    const { stdout } = await engine.docker('ps', '-aq', '--no-trunc');
    expect(stdout).toBe('');
  });
  test('137 for SIGKILL and 143 for SIGTERM', async () => {
    expect((await run('--init', 'busybox', 'sh', '-c', 'kill -9 $$; sleep 5')).code).toBe(137);
    expect((await run('--init', 'busybox', 'sh', '-c', 'kill -TERM $$; sleep 5')).code).toBe(143);
  });
  testNeeding()('an image that is not there is 125 and names it', async () => {
    const missing = await run('--pull', 'never', 'nothing-here:1', 'true');
    expect(missing.code).toBe(125);
    expect(missing.stderr).toContain('No such image: nothing-here:1');
  });
});

describe('process', () => {
  test('-e, -w, -u, --entrypoint, --hostname', async () => {
    expect(await out('-e', 'A=1', '-e', 'B=x y', 'busybox', 'sh', '-c', 'echo "$A $B"')).toBe('1 x y\n');
    expect(await out('-w', '/made/here', 'busybox', 'pwd')).toBe('/made/here\n');
    expect(await out('-u', '1234:77', 'busybox', 'sh', '-c', 'echo $(id -u):$(id -g)')).toBe('1234:77\n');
    expect(await out('--entrypoint', 'echo', 'busybox', 'from', 'entrypoint')).toBe('from entrypoint\n');
    expect(await out('--hostname', 'pier', 'busybox', 'hostname')).toBe('pier\n');
  });
  test('HOME, PATH and HOSTNAME are set as Docker sets them', async () => {
    const env = await out('busybox', 'env');
    expect(env).toContain('PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n');
    expect(env).toContain('HOME=/root\n');
    expect(env).toMatch(/^HOSTNAME=[0-9a-f]{12}$/m);
  });
  test('stdin reaches the process, and its end too', async () => {
    const { code, stdout } = await engine.docker({ input: 'one\ntwo\n' }, 'run', '--rm', '-i', 'busybox', 'wc', '-l');
    expect({ code, stdout: stdout.trim() }).toEqual({ code: 0, stdout: '2' });
  });
  test('a megabyte in is a megabyte out, byte for byte', async () => {
    const input = 'abcdefghijklmno\n'.repeat(65_536);
    const { stdout } = await engine.docker({ input }, 'run', '--rm', '-i', 'busybox', 'cat');
    expect(stdout.length).toBe(input.length);
    expect(stdout === input).toBe(true);
  });
  test('stdout and stderr stay apart', async () => {
    const { stdout, stderr } = await run('busybox', 'sh', '-c', 'echo out; echo err >&2');
    expect({ stdout, stderr }).toEqual({ stdout: 'out\n', stderr: 'err\n' });
  });
  test('-it has a real terminal, with the size of the client', async () => {
    const { stdout, code } = await onTerminal(
      engine,
      { rows: 31, columns: 97 },
      'run',
      '--rm',
      '-it',
      'busybox',
      'sh',
      '-c',
      'sleep 0.3; tty; stty size; exit 5',
    );
    expect(stdout).toContain('/dev/pts/0');
    expect(stdout).toContain('31 97');
    expect(code).toBe(5);
  });
  test('--init reaps what is left', async () => {
    expect(await out('--init', 'busybox', 'cat', '/proc/1/comm')).toMatch(/init|tini/);
  });
});

describe('files', () => {
  test('-v binds a directory, also read-only', async () => {
    await writeFile(join(scratch, 'hello'), 'from the host\n');
    expect(await out('-v', `${scratch}:/data`, 'busybox', 'cat', '/data/hello')).toBe('from the host\n');
    const refused = await run('-v', `${scratch}:/data:ro`, 'busybox', 'touch', '/data/x');
    expect(refused.stderr).toContain('Read-only file system');
  });
  test('-v makes what is missing, --mount does not', async () => {
    expect(await out('-v', `${scratch}/made:/data`, 'busybox', 'ls', '/data')).toBe('');
    const refused = await run('--mount', `type=bind,src=${scratch}/missing,dst=/data`, 'busybox', 'true');
    expect(refused.code).toBe(125);
    expect(refused.stderr).toContain('bind source path does not exist');
  });
  testNeeding(uses.container, uses.volume)('named and anonymous volumes', async () => {
    await out('-v', 'run-data:/data', 'busybox', 'sh', '-c', 'echo kept > /data/f');
    expect(await out('--mount', 'type=volume,src=run-data,dst=/d', 'busybox', 'cat', '/d/f')).toBe('kept\n');
    await out('-v', '/anonymous', 'busybox', 'true');
    const { stdout } = await engine.docker('volume', 'ls', '-q');
    expect(stdout.trim()).toBe('run-data');
    expect((await engine.docker('volume', 'rm', 'run-data')).code).toBe(0);
  });
  testNeeding(uses.container, uses.volume)('an empty volume takes what the image has there', async () => {
    expect(await out('-v', 'copied:/etc', 'busybox', 'ls', '/etc')).toContain('passwd');
    expect((await engine.docker('volume', 'rm', 'copied')).code).toBe(0);
  });
  test('--tmpfs and --read-only', async () => {
    expect(await out('--tmpfs', '/t:size=1m', 'busybox', 'sh', '-c', 'mount | grep " /t "')).toMatch(
      /tmpfs.*size=1024k/,
    );
    const refused = await run('--read-only', 'busybox', 'touch', '/x');
    expect(refused.stderr).toContain('Read-only file system');
    expect(await out('--read-only', '--tmpfs', '/t', 'busybox', 'touch', '/t/x')).toBe('');
  });
  test('a symlink in a volume does not lead outside', async () => {
    await symlink('/etc/shadow', join(scratch, 'leak'));
    const { stderr } = await run('-v', `${scratch}:/data`, 'busybox', 'cat', '/data/leak');
    expect(stderr).toMatch(/No such file|can't open/);
  });
  test('--cidfile', async () => {
    await out('--cidfile', join(scratch, 'cid'), 'busybox', 'true');
    expect(await readFile(join(scratch, 'cid'), 'utf8')).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('limits', () => {
  test('-m and --cpus reach the cgroup', async () => {
    const { stdout: id } = await engine.docker('run', '-d', '-m', '64m', '--cpus', '0.5', 'busybox', 'sleep', '60');
    const { stdout } = await engine.docker(
      'inspect',
      '--format',
      '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}',
      id.trim(),
    );
    expect(stdout.trim()).toBe('67108864 500000000');
    const limits = await engine.docker(
      'exec',
      id.trim(),
      'sh',
      '-c',
      'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null',
    );
    expect(limits.stdout.trim().split('\n')).toEqual(['67108864', expect.stringMatching(/^50000( 100000)?$/)]);
    await engine.docker('rm', '-f', id.trim());
  });
  test('a process that needs more memory than it may is killed, and inspect says so', async () => {
    await engine.docker(
      'run',
      '--name',
      'hungry',
      '-m',
      '8m',
      '--memory-swap',
      '8m',
      'busybox',
      'sh',
      '-c',
      'x=$(head -c 50000000 /dev/zero | tr "\\0" a); echo ${#x}',
    );
    const { stdout } = await engine.docker('inspect', '--format', '{{.State.ExitCode}} {{.State.OOMKilled}}', 'hungry');
    expect(stdout.trim()).toBe('137 true');
    await engine.docker('rm', 'hungry');
  });
  test('--pids-limit and --ulimit', async () => {
    expect(await out('--ulimit', 'nofile=123:456', 'busybox', 'sh', '-c', 'ulimit -n; ulimit -Hn')).toBe('123\n456\n');
    const { stderr } = await run('--pids-limit', '4', 'busybox', 'sh', '-c', 'for i in 1 2 3 4 5 6; do sleep 1 & done');
    expect(stderr).toContain("can't fork");
  });
});
