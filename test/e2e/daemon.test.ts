import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeCertificates } from './support/certificates.js';
import { type CommandResult, type Engine, startEngine } from './support/engine.js';

/** The daemon itself: how it starts, refuses to start, is told things, and stops. */
const launcher = fileURLToPath(new URL('../../bin/cleatd', import.meta.url));

const load = fileURLToPath(new URL('../../cli/dist/bundle/load.js', import.meta.url));

/** Runs cleatd where it is not expected to go on serving. */
function cleatd(...args: string[]): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(launcher, args, { timeout: 240_000 }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

let engine: Engine;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cle-daemon-'));
  engine = await startEngine();
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

test('--version, --help and --validate answer without starting anything', async () => {
  expect(await cleatd('--version')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Cleat version \d/) });
  const help = await cleatd('--help');
  expect(help.stdout).toContain('--data-root');
  const config = join(directory, 'valid.json');
  writeFileSync(config, '{"debug": true, "storage-driver": "vfs"}');
  expect(await cleatd('--validate', `--config-file=${config}`)).toEqual({
    code: 0,
    stdout: 'configuration OK\n',
    stderr: `warning: "storage-driver" in ${config} has no effect: root file systems are always overlayfs\n`,
  });
});

test('V8 takes what was compiled with the bundle, in the daemon and in its helper', async () => {
  await engine.docker('info');
  const children = readFileSync(`/proc/${engine.pid}/task/${engine.pid}/children`, 'utf8').trim().split(' ');
  const commands = [String(engine.pid), ...children].map((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean),
  );
  const seen: string[] = [];
  for (const [node = '', ...args] of commands) {
    const index = args.findIndex((arg) => !arg.startsWith('-'));
    const program = args[index] ?? '';
    if (!program.includes('/dist/bundle/')) continue; // Something else, or built since (npm run build).
    const [, code = ''] = /Bundle\("(\w+)"\)/.exec(readFileSync(program, 'utf8')) ?? [];
    const look = `const { Bundle } = require(${JSON.stringify(load)});
      const { readdirSync } = require('node:fs');
      const bundle = new Bundle(${JSON.stringify(code)});
      for (const name of readdirSync(${JSON.stringify(join(load, '../code', code))})) {
        const { cachedDataRejected } = bundle.compile(name);
        if (cachedDataRejected !== false) console.log(name, cachedDataRejected);
      }`;
    seen.push(`${code}: ${execFileSync(node, [...args.slice(0, index), '-e', look], { encoding: 'utf8' })}`);
  }
  expect(seen.filter((one) => !one.endsWith(': '))).toEqual([]);
  expect(seen).toEqual(expect.arrayContaining(['daemon: ', 'helper: ']));
});

describe('a start-up error is one readable line, and nothing is left behind', () => {
  const roots = () => [
    `--data-root=${join(directory, 'data')}`,
    `--exec-root=${join(directory, 'run')}`,
    `--pidfile=${join(directory, 'pid')}`,
    '--config-file=/dev/null',
  ];

  test.each([
    [['--data-rot=/x'], "cleatd: unknown flag: --data-rot (did you mean --data-root?)\nSee 'cleatd --help'.\n"],
    [['--log-level=loud'], "cleatd: invalid log-level 'loud': use debug, info, warn, error, fatal, trace\n"],
    [['--default-runtime=fast'], /^cleatd: specified default runtime 'fast' does not exist.*\n$/],
    [['-H', 'tcp://0.0.0.0:45671'], /^cleatd: tcp:\/\/0.0.0.0:45671 has no TLS: .*\n$/],
    [['-H', 'tcp://127.0.0.1:45671', '--tlsverify', '--tlscert=/nowhere'], /^cleatd: TLS needs --tlscert.*\n$/],
  ])('%s', async (args, message) => {
    const { code, stderr, stdout } = await cleatd(...roots(), ...args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    if (typeof message === 'string') expect(stderr).toBe(message);
    else expect(stderr).toMatch(message);
    expect(existsSync(join(directory, 'pid'))).toBe(false);
  });

  test('the same option in flag and file', async () => {
    const config = join(directory, 'conflict.json');
    writeFileSync(config, '{"debug": false}');
    const { code, stderr } = await cleatd('--debug', `--config-file=${config}`);
    expect(code).toBe(1);
    expect(stderr).toBe(
      `cleatd: unable to configure the Docker daemon with file ${config}: the following directives are specified both as a flag and in the configuration file: debug: (from flag: true, from file: false)\n`,
    );
  });
});

describe('two engines', () => {
  const other = (...args: string[]) =>
    cleatd(`--host=unix://${directory}/d.sock`, `--pidfile=${directory}/pid`, '--config-file=/dev/null', ...args);

  test('cannot share a data root', async () => {
    const { code, stderr } = await other(`--data-root=${engine.dataRoot}`, `--exec-root=${directory}/run`);
    expect(code).toBe(1);
    expect(stderr).toContain(
      `another engine (process ${engine.pid}) uses ${engine.dataRoot}: name another --data-root`,
    );
    expect(existsSync(join(directory, 'd.sock'))).toBe(false);
  });

  test('cannot share an exec root', async () => {
    const { code, stderr } = await other(`--data-root=${directory}/data`, `--exec-root=${engine.execRoot}`);
    expect(code).toBe(1);
    expect(stderr).toContain(`uses ${engine.execRoot}: name another --exec-root`);
  });

  test('cannot share a socket', async () => {
    const roots = [`--data-root=${directory}/data`, `--exec-root=${directory}/run`, `--pidfile=${directory}/pid`];
    const { code, stderr } = await cleatd(...roots, `--host=unix://${engine.socket}`, '--config-file=/dev/null');
    expect(code).toBe(1);
    expect(stderr).toContain(`another engine answers on ${engine.socket}`);
    expect((await engine.api('GET', '/_ping')).status).toBe(200);
  });

  test('cannot share a PID file', async () => {
    const pidfile = `--pidfile=${join(engine.directory, 'pid')}`;
    const { code, stderr } = await other(`--data-root=${directory}/data`, `--exec-root=${directory}/run`, pidfile);
    expect(code).toBe(1);
    expect(stderr).toContain(`process with PID ${engine.pid} is still running`);
    expect(readFileSync(join(engine.directory, 'pid'), 'utf8')).toBe(String(engine.pid));
  });

  test('live side by side', async () => {
    await using second = await startEngine();
    const [one, two] = await Promise.all(
      [engine, second].map((each) => each.docker('run', '--rm', '--name', 'same', 'busybox', 'hostname', '-i')),
    );
    expect(one?.stdout).toMatch(new RegExp(`^${engine.prefix}\\.0\\.`));
    expect(two?.stdout).toMatch(new RegExp(`^${second.prefix}\\.0\\.`));
  });
});

test('SIGHUP reads the file again, and says so in an event', async () => {
  await using own = await startEngine({ busybox: false });
  const config = join(own.directory, 'daemon.json');
  writeFileSync(config, '{}');
  await own.kill('SIGTERM');
  await own.restart();
  const labels = async (): Promise<string> => (await own.docker('info', '--format', '{{json .Labels}}')).stdout.trim();
  expect(await labels()).toBe('[]');

  const since = (Date.now() / 1000).toFixed(3);
  writeFileSync(config, '{"labels": ["tier=gold"], "runtimes": {"fast": {"path": "/bin/fast"}}}');
  process.kill(own.pid, 'SIGHUP');
  await expect.poll(labels).toBe('["tier=gold"]');
  expect((await own.docker('info', '--format', '{{json .Runtimes}}')).stdout).toContain('/bin/fast');
  const until = (Date.now() / 1000 + 0.1).toFixed(3);
  const { stdout } = await own.docker(
    'events',
    '--since',
    since,
    '--until',
    until,
    '--format',
    '{{.Type}} {{.Action}}',
  );
  expect(stdout).toBe('daemon reload\n');

  writeFileSync(config, '{"labels": ["broken"]}');
  process.kill(own.pid, 'SIGHUP');
  await expect.poll(() => own.log()).toContain('the configuration was not changed');
  expect(await labels()).toBe('["tier=gold"]');
});

test('SIGUSR1 writes the state to a file', async () => {
  const dumps = () => readdirSync(engine.execRoot).filter((name) => name.startsWith('state-'));
  process.kill(engine.pid, 'SIGUSR1');
  await expect.poll(dumps).toHaveLength(1);
  const state = JSON.parse(readFileSync(join(engine.execRoot, dumps()[0] ?? ''), 'utf8')) as Record<string, unknown>;
  expect(state).toMatchObject({ config: { dataRoot: engine.dataRoot }, extensions: expect.any(Array) });
});

test('SIGTERM stops containers and leaves no socket, PID file or process', async () => {
  await using own = await startEngine();
  await own.docker('run', '-d', '--name', 'sleeper', 'busybox', 'sleep', '1000');
  expect(await own.kill('SIGTERM')).toBe(0);
  expect(existsSync(own.socket)).toBe(false);
  expect(existsSync(join(own.directory, 'pid'))).toBe(false);
  await own.restart();
  expect((await own.docker('inspect', '--format', '{{.State.Status}}', 'sleeper')).stdout).toBe('exited\n');
});

test('--live-restore leaves containers running', async () => {
  await using own = await startEngine({ flags: ['--live-restore'] });
  await own.docker('run', '-d', '--name', 'sleeper', 'busybox', 'sleep', '1000');
  const pid = async () => (await own.docker('inspect', '--format', '{{.State.Pid}}', 'sleeper')).stdout.trim();
  const before = await pid();
  await own.kill('SIGTERM');
  expect(existsSync(`/proc/${before}`)).toBe(true);
  await own.restart();
  expect(await pid()).toBe(before);
});

test('a service manager is told that the engine is ready, and passes sockets', async () => {
  const notify = join(directory, 'notify');
  const receiver = spawn('socat', ['-u', `UNIX-RECV:${notify}`, '-'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = '';
  receiver.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    told += chunk;
  });
  try {
    await expect.poll(() => existsSync(notify)).toBe(true);
    await using own = await startEngine({ busybox: false, env: { NOTIFY_SOCKET: notify } });
    await expect.poll(() => told).toContain('READY=1');
    await own.kill('SIGTERM');
    await expect.poll(() => told).toContain('STOPPING=1');
  } finally {
    receiver.kill();
    await once(receiver, 'exit');
  }
});

test('an authorization plugin that cannot be asked lets nobody pass', async () => {
  const config = join(directory, 'authz.json');
  const roots = ['data', 'run', 'pid'].map((name) => join(directory, `authz-${name}`));
  writeFileSync(config, '{"authorization-plugins": ["guard"]}');
  const [data, run, pid] = roots;
  const child = spawn(
    launcher,
    [
      `--config-file=${config}`,
      `--data-root=${data}`,
      `--exec-root=${run}`,
      `--pidfile=${pid}`,
      '-b',
      'none',
      '-H',
      `unix://${directory}/a.sock`,
    ],
    { stdio: 'ignore' },
  );
  try {
    const version = () => engine.dockerAt(`unix://${directory}/a.sock`, 'ps');
    await expect
      .poll(async () => (await version()).stderr)
      .toContain('plugin guard failed with error: plugin "guard" not found');
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
});

test('TCP with TLS serves who has a certificate, and nobody else', async () => {
  const certificates = await makeCertificates(directory, ['client']);
  await using own = await startEngine({ busybox: false, flags: certificates.daemonFlags });
  const client = certificates.clientFlags('client');
  const ping = (...args: string[]) =>
    own.dockerAt(certificates.host, '--tlsverify', ...args, 'version', '--format', '{{.Server.Os}}');
  expect(await ping(...client)).toMatchObject({ code: 0, stdout: 'linux\n' });
  const [ca = ''] = client;
  expect((await ping(ca)).code).not.toBe(0);
});
