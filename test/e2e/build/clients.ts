import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Docker from 'dockerode';
import { expect, test } from 'vitest';
import { builder, busybox, context, engine, ok, step } from './bench.js';

/** Clients of the classic door beside the docker CLI. */
export function clientTests(): void {
  const scratch = () => mkdtemp(join(context, 'client-'));
  const environment = () => ({ ...process.env, DOCKER_HOST: `unix://${engine.socket}`, DOCKER_BUILDKIT: '0' });

  test('dockerode builds', async () => {
    const client = new Docker({ socketPath: engine.socket });
    const stream = await client.buildImage(
      { context, src: ['Dockerfile', 'file'] },
      { t: 'rode', buildargs: { A: '1' } },
    );
    const lines = await new Promise<object[]>((resolve, reject) =>
      client.modem.followProgress(stream, (error, all: object[]) => (error ? reject(error) : resolve(all))),
    );
    expect(lines.at(-1)).toEqual({ stream: 'Successfully tagged rode:latest\n' });
    await ok('rmi', 'rode');
  });

  test('docker-py builds, and says why it failed', async () => {
    const script = [
      'import docker',
      'c = docker.from_env()',
      "image, log = c.images.build(path='.', tag='py', buildargs={'A': '1'}, extra_hosts={'db': '192.0.2.1'}, rm=True)",
      'print(image.id)',
      "import io; print(c.images.build(fileobj=io.BytesIO(b'FROM busybox'))[0].id)",
    ].join('\n');
    const { stdout } = await promisify(execFile)('python3', ['-c', script], { cwd: context, env: environment() });
    expect(stdout).toBe(`${busybox}\n${busybox}\n`);
    expect(builder.orders[0]).toMatchObject({ ExtraHosts: ['db:192.0.2.1'], BuildArgs: { A: '1' } });
    builder.script = async function* () {
      yield step('1', 1, 'RUN');
      yield { Error: { Message: 'it failed', Code: 2 } };
    };
    await expect(promisify(execFile)('python3', ['-c', script], { cwd: context, env: environment() })).rejects.toThrow(
      'it failed',
    );
    await ok('rmi', 'py');
  });

  test('Compose 1.29 builds', async () => {
    const place = await scratch();
    writeFileSync(join(place, 'Dockerfile'), 'FROM busybox\n');
    const services =
      "version: '3.4'\nservices:\n  web:\n    image: composed\n    build: {context: ., target: prod, args: {A: '1'}}\n";
    writeFileSync(join(place, 'docker-compose.yml'), services);
    await promisify(execFile)('docker-compose', ['build'], { cwd: place, env: environment() });
    expect(builder.orders[0]).toMatchObject({ Target: 'prod', BuildArgs: { A: '1' } });
    await ok('rmi', 'composed');
  });
}
