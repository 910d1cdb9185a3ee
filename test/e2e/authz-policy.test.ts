import { execFile } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { busyboxTar } from './support/busybox.js';
import { type Certificates, makeCertificates } from './support/certificates.js';
import { type CommandResult, type DockerOptions, docker } from './support/docker.js';
import { type Engine, startEngine } from './support/engine.js';
import { Program } from './support/program.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';

/** batteries/authz-policy with the real CLI: clients over TLS, on the socket and in containers; on a stock dockerd, too. */
const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));

let scratch: string;
let certificates: Certificates;
let policy: string;
beforeAll(async () => {
  scratch = await mkdtemp('/tmp/cleat-authz-policy-');
  certificates = await makeCertificates(scratch, ['alice', 'bob']);
  policy = join(scratch, 'policy.yaml');
});
afterAll(() => rm(scratch, { recursive: true }));

const save = (text: string): void => {
  writeFileSync(`${policy}.new`, text);
  renameSync(`${policy}.new`, policy);
};

/** Root on Cleat's socket, and everybody on that of a stock dockerd, may do everything. */
const admins = '{ name: admins, callers: [unix:root, none], allow: "*", within: unlimited }';
const own = `rules:
  - ${admins}
  - name: own
    callers: ["user:*", "container:agent"]
    allow: ["*"]
    within: { owner: self, images: [busybox], networks: [bridge], log-drivers: [json-file, local, none] }
`;
const label = 'com.cleat.owner=user:alice';

type Run = (...args: (string | DockerOptions)[]) => Promise<CommandResult>;
interface Side {
  readonly local: Run;
  as(user: string): Run;
}

const fine = async (said: Promise<CommandResult>): Promise<string> => {
  const { code, stdout, stderr } = await said;
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.trim();
};
const refused = async (said: Promise<CommandResult>, why: string): Promise<void> => {
  const { code, stderr } = await said;
  expect(stderr).toContain(why);
  expect(code).not.toBe(0);
};

/** Flags of the CLI that would give a container more, and why alice is refused. */
const ways: [string[], string][] = [
  [['--privileged'], 'privileged "container"'],
  [['-v', '/:/host'], 'host-paths "/"'],
  [['-v', '/etc/docker:/d:ro'], 'host-paths "/etc/docker:ro"'],
  [['--mount', 'type=bind,src=/,dst=/host'], 'host-paths "/"'],
  [
    ['--mount', 'type=volume,dst=/h,volume-driver=local,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/'],
    'volume-options',
  ],
  [['--volume-driver', 'other', '-v', '/d'], 'volume-drivers "other"'],
  [['-v', 'bobs:/d'], 'volume bobs is of user:bob'],
  [['-v', 'door:/d'], 'volume door: volume-options'],
  [['--volumes-from', 'bobs'], 'container bobs is of user:bob'],
  [['--cap-add', 'sys_admin'], 'capabilities "SYS_ADMIN"'],
  [['--device', '/dev/null'], 'devices "/dev/null"'],
  [['--device-cgroup-rule', 'a *:* rwm'], 'devices "rule:a *:* rwm"'],
  [['--pid', 'host'], 'namespaces "pid"'],
  [['--pid', 'container:bobs'], 'container bobs is of user:bob'],
  [['--ipc', 'host'], 'namespaces "ipc"'],
  [['--uts', 'host'], 'namespaces "uts"'],
  [['--userns', 'host'], 'namespaces "user"'],
  [['--cgroupns', 'host'], 'namespaces "cgroup"'],
  [['--network', 'host'], 'namespaces "network"'],
  [['--network', 'container:bobs'], 'container bobs is of user:bob'],
  [['--network', 'bobs'], 'network bobs is of user:bob'],
  [['--link', 'bobs:b'], 'container bobs is of user:bob'],
  [['--security-opt', 'seccomp=unconfined'], 'security-options "seccomp=unconfined"'],
  [['--security-opt', 'systempaths=unconfined'], 'unmasked "masked"'],
  [['--cgroup-parent', '/x'], 'cgroup-parents "/x"'],
  [['--sysctl', 'net.core.somaxconn=1'], 'sysctls'],
  [['--runtime', 'io.containerd.runc.v2'], 'runtimes'],
  [['--group-add', '0'], 'groups "0"'],
  [['--log-driver', 'syslog'], 'log-drivers "syslog"'],
  [['--oom-kill-disable'], 'kernel-scheduling "oom"'],
];

/** The story of two users, on any engine. @param bridged the engine has a network called bridge */
async function story({ local, as }: Side, network: string): Promise<void> {
  const [alice, bob] = [as('alice'), as('bob')];
  save(own);
  const run = (whose: string) => [
    'run',
    '-d',
    `--network=${network}`,
    '--label',
    `com.cleat.owner=user:${whose}`,
    '--name',
    `${whose}s`,
  ];
  await fine(bob('volume', 'create', '--label', 'com.cleat.owner=user:bob', 'bobs'));
  const hasNetworks = network !== 'none';
  if (hasNetworks) await fine(bob('network', 'create', '--label', 'com.cleat.owner=user:bob', 'bobs'));
  await fine(local('volume', 'create', '-o', 'type=none', '-o', 'o=bind', '-o', 'device=/', '--label', label, 'door'));
  await refused(alice('run', '--rm', `--network=${network}`, 'busybox', 'true'), `add --label ${label}`);
  await fine(bob(...run('bob'), '-v', 'bobs:/d', 'busybox', 'sleep', '1000'));
  const id = await fine(alice(...run('alice'), 'busybox', 'sleep', '1000'));
  expect(await fine(alice('exec', 'alices', 'echo', 'hers'))).toBe('hers');
  expect(await fine(alice('ps', '--filter', `label=${label}`, '--format', '{{.Names}}'))).toBe('alices');
  await refused(bob('ps'), 'add --filter label=com.cleat.owner=user:bob');
  const name = 'alices';
  const touches = [
    ...[name, id, id.slice(0, 12)].map((one) => ['stop', one]),
    ['exec', name, 'true'],
    ['logs', name],
    ['export', name],
    ['cp', `${name}:/etc`, '-'],
    ['rm', '-f', name],
    ['restart', name],
    ['rename', name, 'x'],
    ['attach', '--no-stdin', name],
    ['commit', name],
    ['update', '--restart=no', name],
    ['top', name],
  ];
  await Promise.all(touches.map((words) => refused(bob(...words), 'is of user:alice, not yours')));
  const create = ['create', '--label', label];
  const possible = ways.filter(([, why]) => hasNetworks || !why.startsWith('network'));
  await Promise.all(
    possible.map(([flags, why]) => {
      const connected = flags.includes('--network') ? [] : [`--network=${network}`];
      return refused(alice(...create, ...connected, ...flags, 'busybox', 'true'), why);
    }),
  );
  await refused(alice('exec', '--privileged', 'alices', 'true'), 'privileged "exec"');
  await refused(
    alice('volume', 'create', '--label', label, '-o', 'type=none', '-o', 'o=bind', '-o', 'device=/', 'mine'),
    'volume-options',
  );
  await refused(alice('volume', 'rm', 'bobs'), 'volume bobs is of user:bob');
  await refused(alice('system', 'prune', '-f'), 'add --filter');
  await refused(alice('system', 'df'), 'has no filter');
  await refused(alice('plugin', 'disable', 'authz'), 'unseen "plugin:disable"');
  await refused(alice('plugin', 'rm', '-f', 'authz'), 'unseen "plugin:remove"');
  await refused(alice('plugin', 'set', 'authz', 'a=b'), 'unseen "plugin:set"');
  await refused(alice('swarm', 'init'), 'unseen "swarm:change"');
  await refused(alice('load', { input: Buffer.from('x') }), 'unseen "image:load"');
  // The policy is what the file says now; one that is wrong changes nothing.
  save('rules: [');
  await refused(alice('ps'), 'add --filter');
  save(`rules: [ ${admins}, { name: look, callers: "user:*", allow: "@look" } ]`);
  await fine(bob('ps'));
  await refused(alice('rm', '-f', 'alices'), 'no rule allows container:remove to');
  save(`mode: dry-run\n${own}`);
  await fine(alice('rm', '-f', 'bobs'));
  save(own);
  await fine(alice('rm', '-f', 'alices'));
  for (const volume of ['bobs', 'door']) await fine(local('volume', 'rm', volume));
  if (hasNetworks) await fine(local('network', 'rm', 'bobs'));
}

describe('on Cleat', () => {
  let engine: Engine;
  beforeAll(async () => {
    save(own);
    engine = await startEngine({
      flags: certificates.daemonFlags,
      config: { 'authorization-plugins': ['authz-policy'], extensions: { 'authz-policy': { options: { policy } } } },
    });
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  test('two users, each with what is their own', async () => {
    await story(
      {
        local: (...args) => engine.docker(...args),
        as:
          (user) =>
          (...args) =>
            engine.dockerAt(certificates.host, '--tlsverify', ...certificates.clientFlags(user), ...args),
      },
      'bridge',
    );
    expect(engine.log()).toContain('a request would be denied');
    expect(engine.log()).toMatch(/the policy .* cannot be used: .*; the former one stays in force/);
  });

  test('a container that was given the socket is itself, and not root', async () => {
    const id = await fine(engine.docker('run', '-d', '--name=agent', '-v', '/:/host', 'busybox', 'sleep', '1000'));
    const inside: Run = (...args) =>
      engine.docker('exec', 'agent', 'chroot', '/host', 'docker', '-H', `unix://${engine.socket}`, ...args);
    await refused(inside('run', '--rm', 'busybox', 'true'), `add --label com.cleat.owner=container:${id}`);
    expect(
      await fine(inside('run', '--rm', '--label', `com.cleat.owner=container:${id}`, 'busybox', 'echo', 'in')),
    ).toBe('in');
    await refused(inside('inspect', 'agent'), 'has no label com.cleat.owner, so that it is not yours');
    await fine(engine.docker('rm', '-f', 'agent'));
  });

  test('`cleat authz explain` says why, and asks the engine', async () => {
    await fine(engine.docker('create', '--label', 'com.cleat.owner=user:bob', '--name', 'asked', 'busybox'));
    const explain = async (...words: string[]) => {
      const { code, stdout } = await said([
        path('bin/cleat'),
        'authz',
        'explain',
        ...words,
        '--policy',
        policy,
        '--as',
        'user:alice',
      ]);
      return { code, said: stdout };
    };
    const words = ['DELETE', '/containers/asked'];
    expect(await explain(...words, '-H', `unix://${engine.socket}`)).toEqual({
      code: 1,
      said: expect.stringMatching(/^denied by "own": container asked is of user:bob, not yours$/m),
    });
    expect(await explain(...words)).toEqual({
      code: 2,
      said: expect.stringMatching(/^it depends by "own": .* name one with -H$/m),
    });
    expect(await explain('GET', '/info')).toMatchObject({ code: 0, said: expect.stringContaining('allowed by "own"') });
    await fine(engine.docker('rm', 'asked'));
  });
});

test('left out, nothing is allowed, and the answer says how to bring it back; the operator has the way out', async () => {
  await using engine = await startEngine({ flags: ['--extension', 'authz-policy=off'], config: {}, busybox: false });
  const configure = (config: object) => {
    writeFileSync(join(engine.directory, 'daemon.json'), JSON.stringify(config));
    process.kill(engine.pid, 'SIGHUP');
  };
  const says = async () => (await engine.docker('ps', '-q')).stderr;
  configure({ 'authorization-plugins': ['authz-policy'] });
  await expect
    .poll(says)
    .toContain(
      'plugin authz-policy failed with error: plugin "authz-policy" not found: extension authz-policy is left out by the configuration; cleatd --extension authz-policy=in-process brings it back',
    );
  configure({});
  await expect.poll(says).toBe('');
});

test('as a process, also after it was killed', async () => {
  save(own);
  const settings = { carrier: 'process', options: { policy } };
  await using engine = await startEngine({
    busybox: false,
    config: { 'authorization-plugins': ['authz-policy'], extensions: { 'authz-policy': settings } },
  });
  await fine(engine.docker('volume', 'create', 'kept'));
  const host = async () => {
    const { execRoot } = engine;
    const { stdout } = await said(['ps', '-eo', 'pid,args']);
    const row = stdout.split('\n').find((line) => line.includes('/authz-policy/') && line.includes(execRoot));
    return Number.parseInt(row ?? '', 10);
  };
  const first = await host();
  process.kill(first, 'SIGKILL');
  await expect.poll(async () => (await engine.docker('volume', 'ls', '-q')).stdout).toBe('kept\n');
  expect(await host()).not.toBe(first);
  save('rules: []');
  await refused(engine.docker('ps'), 'no rule allows container:list to root, process');
});

test.skipIf(!stockDockerdInstalled)('on a stock dockerd, two users, each with what is their own', async () => {
  save(`rules: [ ${admins} ]`);
  const name = basename(scratch);
  const flags = certificates.daemonFlags.map((flag) => flag.replace('127.0.0.1', '0.0.0.0'));
  await using stock = await StockDockerd.start([...flags, `--authorization-plugin=${name}`]);
  const socket = join(stock.plugins, `${name}.sock`);
  const settings = JSON.stringify({ name, options: { policy, engine: stock.host } });
  const words = [path('sdk/dist/host.js'), path('batteries/dist/authz-policy/main.js'), socket];
  await using plugin = new Program('env', [`CLEAT_EXTENSION=${settings}`, process.execPath, ...words]);
  await plugin.made(socket);
  const inside = ['nsenter', `--net=/proc/${stock.pid}/ns/net`];
  await fine(said([...inside, 'ip', 'link', 'set', 'lo', 'up']));
  const config = join(scratch, 'docker');
  const local: Run = (...args) => docker(stock.host, config, args);
  await fine(local('import', '-', 'busybox', { input: await busyboxTar() }));
  const as =
    (user: string): Run =>
    (...args) => {
      const input = args.find((arg): arg is DockerOptions => typeof arg === 'object')?.input;
      const words = args.filter((arg) => typeof arg === 'string');
      const client = [...inside, 'docker', '-H', certificates.host, '--tlsverify', ...certificates.clientFlags(user)];
      return said([...client, ...words], input);
    };
  await story({ local, as }, 'none');
});

/** Runs a program to its end. */
function said([command = '', ...args]: readonly string[], input?: string | Buffer): Promise<CommandResult> {
  return new Promise((resolve) => {
    const env = { ...process.env, DOCKER_CONFIG: scratch };
    const child = execFile(command, args, { timeout: 240_000, env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr });
    });
    // A command that does not read its input ends the pipe.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}
