import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { busyboxTar } from '../support/busybox.js';
import { type Certificates, makeCertificates } from '../support/certificates.js';
import { type CommandResult, type DockerOptions, docker } from '../support/docker.js';
import { startEngine } from '../support/engine.js';
import { Program } from '../support/program.js';
import { StockDockerd, stockDockerdInstalled } from '../support/stock-dockerd.js';

/** examples/label-authz, asked by an engine whose clients come over TLS, and asking the same engine meanwhile. */
const main = fileURLToPath(new URL('../../../examples/label-authz/dist/main.js', import.meta.url));

let scratch: string;
let certificates: Certificates;
let policy: string;
beforeEach(async () => {
  scratch = await mkdtemp('/tmp/cleat-label-authz-');
  certificates = await makeCertificates(scratch, ['alice', 'bob']);
  policy = join(scratch, 'policy.json');
  await allow({ teams: { web: ['alice'], db: ['bob'] }, unnamed: 'admin' });
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

const allow = (text: object) => writeFile(policy, JSON.stringify(text));

async function startPlugin(socket: string, engine: string): Promise<Program> {
  const program = new Program(process.execPath, [main, '--socket', socket, '--policy', policy, '--engine', engine]);
  await program.made(socket);
  return program;
}

/** Runs `docker` as somebody. */
type As = (user: string, ...args: string[]) => Promise<CommandResult>;

/** The story of the README, on any engine. @param local runs `docker` by the UNIX socket, without a name */
async function story(as: As, local: (...args: string[]) => Promise<CommandResult>): Promise<void> {
  const denied = async (said: Promise<CommandResult>, why: string) => {
    const { code, stderr } = await said;
    expect(code).not.toBe(0);
    expect(stderr).toContain(why);
  };
  const fine = async (said: Promise<CommandResult>) => {
    const { code, stdout, stderr } = await said;
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    return stdout.trim();
  };
  const run = ['run', '-d', '--network=none', '--name=shop'];
  await fine(local('run', '-d', '--network=none', '--name=old', 'busybox', 'sleep', '1000'));
  await allow({ teams: { web: ['alice'], db: ['bob'] } });
  await denied(local('stop', 'old'), 'somebody without a name may only look');
  await denied(as('alice', ...run, 'busybox', 'sleep', '1000'), 'add --label team=web');
  const id = await fine(as('alice', ...run, '--label=team=web', 'busybox', 'sleep', '1000'));
  expect(await fine(as('alice', 'exec', 'shop', 'echo', 'hers'))).toBe('hers');
  expect(await fine(as('bob', 'ps', '--format', '{{.Names}}'))).toBe('shop\nold');
  for (const name of ['shop', id, id.slice(0, 12)]) {
    await denied(as('bob', 'stop', name), `bob of db may not touch ${name}: it is of team web`);
  }
  await denied(as('bob', 'exec', 'shop', 'true'), 'may not touch');
  await denied(as('bob', 'rm', '-f', 'shop'), 'may not touch');
  await denied(as('alice', 'rm', '-f', 'old'), 'it has no label team');
  await denied(as('alice', 'run', '--label=team=web', '-v', '/:/host', 'busybox', 'true'), 'may not set Binds');
  await denied(as('alice', 'run', '--label=team=web', '--privileged', 'busybox', 'true'), 'may not set Privileged');
  await denied(as('alice', 'system', 'prune', '-f'), 'for administrators');
  // Saved, and in force.
  await allow({ teams: { web: ['alice', 'bob'] }, unnamed: 'admin' });
  await fine(as('bob', 'rm', '-f', 'shop'));
  await fine(local('rm', '-f', 'old'));
}

test('on Cleat, a container is its team’s', async () => {
  await using plugin = await startPlugin(join(scratch, 'label-authz.sock'), `unix://${scratch}/engine.sock`);
  const flags = [...certificates.daemonFlags, '--authorization-plugin=label-authz', `--plugin-dir=${scratch}`];
  await using engine = await startEngine({ flags: [...flags, `--host=unix://${scratch}/engine.sock`] });
  const tls = (user: string) => ['--tlsverify', ...certificates.clientFlags(user)];
  await story(
    (user, ...args) => engine.dockerAt(certificates.host, ...tls(user), ...args),
    (...args) => engine.docker(...args),
  );
  expect(plugin.ended).toBe(false);
});

test.skipIf(!stockDockerdInstalled)('on a stock dockerd, a container is its team’s', async () => {
  const name = basename(scratch);
  const flags = certificates.daemonFlags.map((flag) => flag.replace('127.0.0.1', '0.0.0.0'));
  await using stock = await StockDockerd.start([...flags, `--authorization-plugin=${name}`]);
  await using _plugin = await startPlugin(join(stock.plugins, `${name}.sock`), stock.host);
  const inside = ['nsenter', `--net=/proc/${stock.pid}/ns/net`];
  expect(await said([...inside, 'ip', 'link', 'set', 'lo', 'up'])).toMatchObject({ code: 0 });
  const local = (...args: (string | DockerOptions)[]) => docker(stock.host, join(scratch, 'docker'), args);
  expect(await local('import', '-', 'busybox', { input: await busyboxTar() })).toMatchObject({ code: 0 });
  const client = [...inside, 'docker', '-H', certificates.host, '--tlsverify'];
  await story((user, ...args) => said([...client, ...certificates.clientFlags(user), ...args]), local);
});

/** Runs a program to its end. */
async function said([command = '', ...args]: readonly string[]): Promise<CommandResult> {
  const child = execFile(command, args, { timeout: 240_000, env: { ...process.env, DOCKER_CONFIG: scratch } });
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk: string) => {
      printed[name] += chunk;
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, ...printed };
}
