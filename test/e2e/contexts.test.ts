import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeCertificates } from './support/certificates.js';
import type { CommandResult } from './support/docker.js';
import { type Engine, startEngine } from './support/engine.js';

/**
 * `docker context` over TCP with TLS, and over SSH: there the client runs `ssh … docker system dial-stdio`, and all of its
 * connections go through the stdin and stdout of such commands. In `ssh`'s place is a script that runs the command here.
 */
let engine: Engine;
let directory: string;
let certificates: Awaited<ReturnType<typeof makeCertificates>>;
let env: NodeJS.ProcessEnv;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-contexts-'));
  certificates = await makeCertificates(directory, ['client']);
  engine = await startEngine({ flags: certificates.daemonFlags });
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  const { DOCKER_HOST: _, DOCKER_CONTEXT: __, ...others } = process.env;
  env = { ...others, DOCKER_CONFIG: join(directory, 'config'), PATH: `${bin}:${process.env.PATH}` };
  const script = `#!/bin/sh
while [ "$1" != -- ]; do shift; done
[ "$2" = far.example ] || exit 255
shift 2
DOCKER_CONTEXT= DOCKER_HOST=unix://${engine.socket} exec "$@"
`;
  writeFileSync(join(bin, 'ssh'), script);
  chmodSync(join(bin, 'ssh'), 0o755);
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** The client as it is, without an address: a context says it. */
async function docker(args: readonly string[], input = ''): Promise<CommandResult> {
  const child = execFile('docker', [...args], { env, maxBuffer: 64 * 1024 * 1024, timeout: 240_000 });
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk: string) => {
    stderr += chunk;
  });
  child.stdin?.on('error', () => {}); // It need not read all of it.
  child.stdin?.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, stdout, stderr };
}

const through = (context: string, args: readonly string[], input?: string): Promise<CommandResult> =>
  docker(['--context', context, ...args], input);

async function ok(context: string, args: string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await through(context, args, input);
  expect({ args, code, stderr }).toMatchObject({ code: 0 });
  return stdout;
}

/** Commands whose streams go both ways, end one way, wait, and go on. */
async function works(context: string): Promise<void> {
  expect(await ok(context, ['run', '--rm', 'busybox', 'echo', 'there'])).toBe('there\n');
  expect(await ok(context, ['run', '--rm', '-i', 'busybox', 'wc', '-c'], 'x'.repeat(2_000_000))).toMatch(/2000000/);
  expect((await through(context, ['run', '--rm', 'busybox', 'sh', '-c', 'exit 7'])).code).toBe(7);
  const id = (await ok(context, ['run', '-d', 'busybox', 'sleep', '1000'])).trim();
  try {
    const many = await ok(context, ['exec', id, 'sh', '-c', 'head -c 3000000 /dev/zero | tr "\\0" y']);
    expect(many).toHaveLength(3_000_000);
    expect(await ok(context, ['exec', '-i', id, 'cat'], 'back')).toBe('back');
    expect(
      await ok(context, [
        'events',
        '--since',
        '1h',
        '--until',
        String(Math.floor(Date.now() / 1000) + 1),
        '--filter',
        `container=${id}`,
      ]),
    ).toContain('start');
  } finally {
    await ok(context, ['rm', '-f', id]);
  }
  expect(await ok(context, ['build', '-q', '-'], 'FROM busybox\nLABEL a=b\n')).toMatch(/^sha256:/m);
  expect(await ok(context, ['system', 'df', '-v'])).toMatch(/^Build cache usage: /m);
}

test('TCP with TLS', async () => {
  const [ca = '', cert = '', key = ''] = certificates
    .clientFlags('client')
    .map((flag) => flag.slice(flag.indexOf('=') + 1));
  const endpoint = `host=${certificates.host},ca=${ca},cert=${cert},key=${key}`;
  await docker(['context', 'create', 'tls', '--docker', endpoint]);
  await works('tls');
  await docker(['context', 'create', 'nobody', '--docker', `host=${certificates.host},ca=${ca}`]);
  expect((await through('nobody', ['version'])).stderr).toMatch(/certificate|tls:/i);
});

test('SSH', async () => {
  await docker(['context', 'create', 'far', '--docker', 'host=ssh://far.example']);
  await works('far');
  await docker(['context', 'create', 'wrong', '--docker', 'host=ssh://nosuch.example']);
  expect((await through('wrong', ['version'])).code).not.toBe(0);
});
