import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ContainerCreateRequest } from '@cleat/protocol/api/container';
import type { AuditRecord } from '@cleat/protocol/audit';
import type { Caller } from '@cleat/protocol/caller';
import { hookKind } from '@cleat/protocol/kinds/hook';
import { silentLogger } from '@cleat/protocol/log';
import { authzKind, defineExtension, implement, type Served, serve } from '@cleat/sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { busyboxTar } from './support/busybox.js';
import { makeCertificates } from './support/certificates.js';
import { type CommandResult, type DockerOptions, docker as dockerAt } from './support/docker.js';
import { hasNewerClients, newerClientsIn } from './support/newer-clients.js';
import { Program } from './support/program.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';
import { onTerminal } from './support/terminal.js';

const cleat = fileURLToPath(new URL('../../bin/cleat', import.meta.url));
const callers: (Caller | undefined)[] = [];

/** Nobody may have a privileged container; every one that is made is its caller's. */
const policy = defineExtension({
  start: () => ({
    implementations: [
      implement(authzKind, {
        AuthZReq({ RequestUri = '', RequestBody = '', Caller }) {
          callers.push(Caller);
          if (!RequestUri.includes('/containers/create')) return { Allow: true };
          const { HostConfig } = JSON.parse(Buffer.from(RequestBody, 'base64').toString()) as ContainerCreateRequest;
          return { Allow: !HostConfig?.Privileged, Msg: 'nobody may be privileged' };
        },
        AuthZRes: () => ({ Allow: true }),
      }),
      implement(hookKind, {
        Capabilities: () => ({
          Protocol: 1,
          Match: [{ Routes: ['/containers/create'] }],
          Request: 'body',
          Response: 'none',
        }),
        Request: ({ Caller: { User } }) => ({ Set: [{ Path: 'Body.Labels["owner"]', Value: User }] }),
        Response: () => ({}),
      }),
    ],
  }),
});

describe.skipIf(!stockDockerdInstalled)('a policy in front of a stock dockerd', () => {
  let directory: string;
  let stock: StockDockerd;
  let plugin: Served;
  let proxy: Program;
  let socket: string;
  const proxyAt = async (name: string, upstream: string, ...more: string[]): Promise<Program> => {
    const at = (file: string): string => join(directory, `${name}${file}`);
    const flags = {
      upstream,
      host: `unix://${at('.sock')}`,
      'data-root': at('-data'),
      'exec-root': at('-run'),
      pidfile: at('-pid'),
      'config-file': at('.json'),
      'plugin-dir': directory,
    };
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    const program = new Program(cleat, ['proxy', ...args, ...more]);
    await program.made(at('.sock'));
    return program;
  };
  const docker = (...args: (string | DockerOptions)[]): Promise<CommandResult> =>
    dockerAt(`unix://${socket}`, directory, args);
  const ok = async (...args: (string | DockerOptions)[]): Promise<string> => {
    const result = await docker(...args);
    expect(result, `${args.join(' ')}: ${result.stderr}`).toMatchObject({ code: 0 });
    return result.stdout.trim();
  };

  beforeAll(async () => {
    directory = await mkdtemp('/tmp/cleat-proxy-');
    socket = join(directory, 'proxy.sock');
    stock = await StockDockerd.start();
    plugin = await serve(policy, { name: 'policy', socket: join(directory, 'policy.sock'), log: silentLogger });
    await writeFile(join(directory, 'hooks.yaml'), 'hooks: [{name: policy}]');
    await writeFile(
      join(directory, 'proxy.json'),
      JSON.stringify({ 'authorization-plugins': ['policy'], hooks: join(directory, 'hooks.yaml') }),
    );
    proxy = await proxyAt('proxy', stock.host);
    await ok('import', '-', 'busybox', { input: await busyboxTar() });
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await plugin.close();
    await stock[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  test('the policy decides, the hook changes, dockerd does', async () => {
    const refused = await docker('create', '--privileged', 'busybox', 'true');
    expect(refused.stderr).toContain('authorization denied by plugin policy: nobody may be privileged');
    await ok('create', '--name', 'mine', 'busybox', 'true');
    const labels = await dockerAt(stock.host, directory, ['inspect', '-f', '{{json .Config.Labels}}', 'mine']);
    expect(JSON.parse(labels.stdout)).toEqual({ owner: 'root' });
    await ok('rm', 'mine');
    expect(await ok('version', '-f', '{{.Server.Version}} {{.Client.APIVersion}}')).toMatch(/^20\.10\.\S+ 1\.41$/);
  });

  test('daily commands: run, exec, attach, logs, events, cp, images, builds', async () => {
    expect(await ok('run', '--rm', '-i', 'busybox', 'wc', '-l', { input: 'a\nb\n' })).toBe('2');
    expect(await docker('run', '--rm', 'busybox', 'sh', '-c', 'exit 7')).toMatchObject({ code: 7 });
    const seen = await onTerminal(
      { socket } as never,
      { rows: 33, columns: 77 },
      'run',
      '--rm',
      '-it',
      'busybox',
      'tty',
    );
    expect(seen).toMatchObject({ code: 0, stdout: expect.stringContaining('/dev/') as string });

    await ok('run', '-dit', '--name', 'shell', 'busybox', 'sh');
    expect(await ok('exec', '-i', 'shell', 'cat', { input: 'half-closed' })).toBe('half-closed');
    await ok('exec', '-d', 'shell', 'touch', '/made');
    const keys = {
      rows: 20,
      columns: 80,
      type: 'echo a$((1+1))b\r',
      finally: { awaited: 'a2b', type: '\u0010\u0011' },
    };
    const attached = await onTerminal({ socket } as never, keys, 'attach', 'shell');
    expect(attached.stdout).toContain('a2b');
    expect(await ok('inspect', '-f', '{{.State.Running}}', 'shell')).toBe('true');

    const bytes = Buffer.alloc(3 << 20, 'content ');
    await writeFile(join(directory, 'big'), bytes);
    await ok('cp', join(directory, 'big'), 'shell:/big');
    expect(await ok('exec', 'shell', 'sh', '-c', 'wc -c < /big; ls /made')).toBe(`${bytes.length}\n/made`);
    await ok('rm', '-f', 'shell');

    await ok('run', '-d', '--name', 'talker', 'busybox', 'sh', '-c', 'seq 20000; sleep 0.3; echo last; sleep 1');
    // It ends a while after its last line: this dockerd may lose that otherwise.
    expect((await ok('logs', '-f', 'talker')).split('\n')).toHaveLength(20_001);
    expect(await ok('wait', 'talker')).toBe('0');
    // It waits for that second to be over.
    const events = await ok(
      'events',
      '--since',
      '10m',
      '--until',
      String(Math.ceil(Date.now() / 1000)),
      '--format',
      '{{.Action}}',
      '--filter',
      'container=talker',
    );
    expect(events.split('\n')).toEqual(['create', 'start', 'die']);
    await ok('rm', 'talker');

    const saved = join(directory, 'saved.tar');
    await ok('save', '-o', saved, 'busybox');
    await ok('tag', 'busybox', 'other');
    expect(await ok('load', '-i', saved)).toContain('Loaded image: busybox:latest');
    await writeFile(join(directory, 'Dockerfile'), 'FROM busybox\nCOPY big /copied\nRUN test -s /copied\n');
    await ok('build', '-q', '-t', 'built', directory, { env: { DOCKER_BUILDKIT: '0' } });
    expect(await ok('run', '--rm', 'built', 'sh', '-c', 'wc -c < /copied')).toBe(String(bytes.length));
  });

  test.skipIf(!hasNewerClients)('buildx and Compose', async () => {
    const env = { DOCKER_CONFIG: newerClientsIn(directory) };
    await writeFile(join(directory, 'Dockerfile'), 'FROM busybox\nRUN echo inside > /file\n');
    await ok('buildx', 'build', '-q', '--network', 'none', '-t', 'bx', directory, { env, timeoutMs: 240_000 });
    expect(await ok('run', '--rm', 'bx', 'cat', '/file')).toBe('inside');
    const service = { image: 'busybox', command: 'echo from-compose', network_mode: 'none' };
    await writeFile(join(directory, 'compose.json'), JSON.stringify({ services: { one: service } }));
    const up = await ok('compose', '-f', join(directory, 'compose.json'), '-p', 'up', 'up', { env });
    expect(up).toContain('from-compose');
    await ok('compose', '-f', join(directory, 'compose.json'), '-p', 'up', 'down', { env });
  });

  test('a caller in a container of dockerd’s is known as that', async () => {
    const client = `chroot /host docker -H unix://${socket} ps -q`;
    await ok('run', '--name', 'agent', '-v', '/:/host', 'busybox', 'sh', '-c', client);
    const id = await ok('inspect', '-f', '{{.Id}}', 'agent');
    const found = callers.find((one) => one?.Container?.ID === id);
    expect(found).toMatchObject({ Method: 'unix', User: '0', Within: 'container', Container: { Name: 'agent' } });
    await ok('rm', 'agent');
  });

  test('two proxies, with TLS between them', async () => {
    const { host, file, clientFlags } = await makeCertificates(directory, ['front']);
    for (const name of ['far', 'near', 'unknown']) await writeFile(join(directory, `${name}.json`), '{}');
    const own = ['cacert', 'cert', 'key'] as const;
    const server = own.map((what) => `--tls${what}=${file('server', what)}`);
    await using _far = await proxyAt('far', stock.host, '-H', host, '--tlsverify', ...server);
    const shown = clientFlags('front').map((flag) => flag.replace('--tls', '--upstream-tls'));
    await using _near = await proxyAt('near', host, '--upstream-tlsverify', ...shown);
    const through = (...args: (string | DockerOptions)[]): Promise<CommandResult> =>
      dockerAt(`unix://${join(directory, 'near.sock')}`, directory, args);
    expect(await through('run', '--rm', '-i', 'busybox', 'cat', { input: 'half-closed' })).toMatchObject({
      code: 0,
      stdout: 'half-closed',
    });
    const saved = join(directory, 'through.tar');
    expect(await through('save', '-o', saved, 'busybox')).toMatchObject({ code: 0 });
    expect(await through('load', '-i', saved)).toMatchObject({ code: 0 });

    const trusted = join(directory, 'trusted.pem');
    await copyFile(file('server', 'cert'), trusted);
    await using unknown = await proxyAt(
      'unknown',
      host,
      '--upstream-tlsverify',
      `--upstream-tlscacert=${trusted}`,
      ...shown.filter((flag) => !flag.includes('cacert')),
    );
    const ask = () => dockerAt(`unix://${join(directory, 'unknown.sock')}`, directory, ['ps']);
    expect((await ask()).stderr).toMatch(/TLS with tcp:.* failed/);
    expect(unknown.said).toContain('the upstream cannot be used');
    await copyFile(file('server', 'cacert'), trusted);
    process.kill(unknown.pid, 'SIGHUP');
    await expect.poll(ask).toMatchObject({ code: 0 });
  });

  test('the journal, by the proxy’s own socket; dockerd away and back; SIGHUP; SIGTERM', async () => {
    const cleatAudit = new Program(cleat, ['audit', '-H', `unix://${socket}`, '--denied', '--json']);
    await expect.poll(() => cleatAudit.ended).toBe(true);
    const [denied] = cleatAudit.said
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as AuditRecord);
    expect(denied).toMatchObject({
      By: 'authorizer policy',
      Status: 403,
      Changes: [{ Hook: 'policy', Path: 'Body.Labels.owner' }],
    });

    await stock.kill();
    expect((await docker('ps')).stderr).toContain('no engine answers on');
    await stock.restart();
    expect(await ok('ps', '-q')).toBe('');

    await plugin.close();
    expect((await docker('ps')).stderr).toContain('plugin policy failed with error');
    await writeFile(join(directory, 'proxy.json'), '{}');
    process.kill(proxy.pid, 'SIGHUP');
    await expect.poll(async () => (await docker('ps')).code).toBe(0);
    expect(await proxy.end('SIGTERM')).toBe(0);
  });
});

test('an address that anybody could use is refused', async () => {
  await using program = new Program(cleat, ['proxy', '-H', 'tcp://0.0.0.0:2375']);
  await expect.poll(() => program.ended).toBe(true);
  expect(program.said).toContain('has no TLS');
});
