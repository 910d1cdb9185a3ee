import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';

/** The tools that people put in front of the API. */
let engine: Engine;
let scratch: string;
beforeAll(async () => {
  engine = await startEngine();
  scratch = await mkdtemp('/tmp/cleat-e2e-tools-');
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});
afterEach(() => removeAll(engine));
const { ok } = clientOf(() => engine);

const composeFile = `
version: '3'
services:
  web:
    image: busybox
    command: sh -c "mkdir /www; echo from web > /www/index.html; exec httpd -f -p 80 -h /www"
    ports: ['127.0.0.1::80']
    volumes: ['data:/data']
  client:
    image: busybox
    depends_on: [web]
    command: sh -c "for i in 1 2 3 4 5 6 7 8 9; do wget -qO- http://web/ && exit 0; sleep 0.3; done; exit 1"
volumes: {data: {}}
`;

const hasCompose = spawnSync('docker-compose', ['version']).status === 0;

describe.skipIf(!hasCompose)('docker-compose', () => {
  test('two services on a network of their own, by name; up twice changes nothing; down leaves nothing', async () => {
    await writeFile(join(scratch, 'docker-compose.yml'), composeFile);
    const compose = async (...args: string[]) => {
      const { DOCKER_CONTEXT: _, ...env } = process.env;
      return await promisify(execFile)('docker-compose', ['-p', 'pier', ...args], {
        cwd: scratch,
        env: { ...env, DOCKER_HOST: `unix://${engine.socket}` },
        timeout: 240_000,
      });
    };
    await compose('up', '-d');
    try {
      await expect
        .poll(() => ok('inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', 'pier_client_1'))
        .toBe('exited 0');
      expect((await compose('logs', '--no-color', 'client')).stdout).toContain('from web');
      const address = (await compose('port', 'web', '80')).stdout.trim();
      expect(await (await fetch(`http://${address}/`)).text()).toBe('from web\n');
      const web = await ok('inspect', '--format', '{{.Id}}', 'pier_web_1');
      expect((await compose('up', '-d', 'web')).stderr).toContain('pier_web_1 is up-to-date');
      expect(await ok('inspect', '--format', '{{.Id}}', 'pier_web_1')).toBe(web);
      expect((await compose('exec', '-T', 'web', 'cat', '/www/index.html')).stdout).toBe('from web\n');
    } finally {
      await compose('down', '-v', '-t', '0');
    }
    expect(await ok('ps', '-aq')).toBe('');
    expect(await ok('volume', 'ls', '-q')).toBe('');
    expect(await ok('network', 'ls', '--filter', 'type=custom', '-q')).toBe('');
  });
});

describe('dockerode', () => {
  const open = () => new Docker({ socketPath: engine.socket });

  test('attach before start, input and its end, wait, logs', async () => {
    const container = await open().createContainer({
      Image: 'busybox',
      Cmd: ['sh', '-c', 'cat; echo complaint >&2; exit 3'],
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
    });
    const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    container.modem.demuxStream(stream, stdout, stderr);
    await container.start();
    stream.end('typed\n');
    await once(stream, 'end');
    stdout.end();
    stderr.end();
    expect([await text(stdout), await text(stderr)]).toEqual(['typed\n', 'complaint\n']);
    expect(await container.wait()).toEqual({ StatusCode: 3 });
    expect((await container.logs({ stdout: true, stderr: false })).toString()).toContain('typed');
    await container.remove();
    await expect(container.inspect()).rejects.toMatchObject({ statusCode: 404 });
  });

  test('exec, archives, events and statistics as they come', async () => {
    const docker = open();
    const events = await docker.getEvents({ filters: { type: ['container'] } });
    let seen = '';
    events.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    const container = await docker.createContainer({ Image: 'busybox', Cmd: ['sleep', '1000'], name: 'rode' });
    await container.start();
    const exec = await container.exec({ Cmd: ['sh', '-c', 'echo $A'], Env: ['A=b'], AttachStdout: true, Tty: true });
    expect(await text(await exec.start({ hijack: true, stdin: false, Tty: true }))).toBe('b\r\n');
    expect(await exec.inspect()).toMatchObject({ Running: false, ExitCode: 0 });
    const archive = await container.getArchive({ path: '/etc/passwd' });
    await container.putArchive(archive, { path: '/tmp' });
    const statistics = await container.stats({ stream: false });
    expect(statistics.memory_stats.usage).toBeGreaterThan(0);
    await container.kill();
    await container.remove();
    const actions = () =>
      seen
        .split('\n')
        .filter(Boolean)
        .map((line) => (JSON.parse(line) as { Action: string }).Action);
    await expect.poll(actions).toContain('destroy');
    expect(actions()).toEqual([
      'create',
      'start',
      'exec_create: sh -c echo $A',
      'exec_start: sh -c echo $A',
      'exec_die',
      'archive-path',
      'extract-to-dir',
      'kill',
      'die',
      'destroy',
    ]);
    (events as unknown as { destroy(): void }).destroy();
  });
});
