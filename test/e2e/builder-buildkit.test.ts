import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Engine, startEngine } from './support/engine.js';
import { hasNewerClients, newerClientsIn } from './support/newer-clients.js';

/** An engine whose builder is a BuildKit: another engine, which answers as one does. */
let buildkit: Engine;
let engine: Engine;
let work: string;
beforeAll(async () => {
  buildkit = await startEngine();
  const options = { address: `unix://${buildkit.socket}` };
  const config = { extensions: { 'builder-buildkit': { options } } };
  engine = await startEngine({ flags: ['--builder-driver=buildkit'], config });
  work = join(engine.directory, 'work');
  mkdirSync(join(work, 'app/skipped'), { recursive: true });
  writeFileSync(
    join(work, 'app/Dockerfile'),
    'FROM busybox AS base\nARG W\nCOPY . /app\nRUN echo "$W" >/w; ls -A /app\n',
  );
  writeFileSync(join(work, 'app/.dockerignore'), 'skipped\n');
  writeFileSync(join(work, 'app/f'), 'from the context\n');
  writeFileSync(join(work, 'app/skipped/g'), 'not to be seen\n');
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await buildkit?.[Symbol.asyncDispose]();
});

type Environment = Record<string, string>;
/** The docker CLI in the directory of the files. */
const run = (env: Environment, ...args: string[]) => engine.docker({ cwd: work, env }, ...args);
async function ok(env: Environment, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(env, ...args);
  if (code !== 0) expect.fail(stderr + stdout);
  return stdout + stderr;
}
const contentOf = (image: string, ...files: string[]) => ok({}, 'run', '--rm', image, 'cat', ...files);
const classic = { DOCKER_BUILDKIT: '0' };
const namesOf = async (of: Engine): Promise<string[]> =>
  (await of.docker('images', '--format', '{{.Repository}}:{{.Tag}}')).stdout.trim().split('\n').sort();

test('the classic builder’s clients get what BuildKit builds', async () => {
  const said = await ok(classic, 'build', '-t', 'classic:1', '--build-arg', 'W=word', 'app');
  expect(said).toMatch(/Step \d\/\d : RUN echo ".*" >\/w; ls -A \/app\n[\s\S]*Successfully tagged classic:1\n/);
  expect(await contentOf('classic:1', '/w', '/app/f')).toBe('word\nfrom the context\n');
  expect(said).not.toMatch(/skipped/);
  writeFileSync(join(work, 'app/bad'), 'FROM busybox\nRUN exit 7\n');
  const { code, stderr } = await run(classic, 'build', '-f', 'app/bad', 'app');
  expect({ code, stderr }).toEqual({ code: 7, stderr: expect.stringContaining('returned a non-zero code: 7') });
  expect(await namesOf(buildkit)).toEqual(['busybox:latest']);
});

describe.skipIf(!hasNewerClients)('buildx', () => {
  let own: Environment;
  const docker = (...args: string[]) => ok(own, ...args);
  beforeAll(() => {
    own = { DOCKER_CONFIG: newerClientsIn(engine.directory) };
  });

  test('builds there, and the image is here, with the names that were asked for', async () => {
    writeFileSync(
      join(work, 'app/secret'),
      'FROM busybox\nCOPY f /\nRUN --mount=type=secret,id=s cat /run/secrets/s >/copy\n',
    );
    const flags = ['--progress=plain', '--secret', 'id=s,src=app/f', '-t', 'here:1', '-t', 'here:2'];
    const said = await docker('buildx', 'build', ...flags, '-f', 'app/secret', 'app');
    expect(said).toMatch(/RUN --mount=type=secret[\s\S]*exporting to oci image format[\s\S]*sending tarball/);
    expect(await contentOf('here:2', '/copy')).toBe('from the context\n');
    expect(await namesOf(engine)).toEqual(expect.arrayContaining(['here:1', 'here:2']));
    expect(await namesOf(buildkit)).toEqual(['busybox:latest']);
  });

  test('gets other results from there, and errors with their place', async () => {
    await docker('buildx', 'build', '-o', 'out', 'app');
    expect(readFileSync(join(work, 'out/app/f'), 'utf8')).toBe('from the context\n');
    // This driver has its session in a call, where an answer and its status come in one piece.
    await docker('buildx', 'create', '--name', 'far', '--driver', 'remote', `unix://${engine.socket}`);
    await docker('buildx', 'build', '--builder', 'far', '-o', 'type=oci,dest=layout.tar', 'app');
    expect(execFileSync('tar', ['-tf', join(work, 'layout.tar')], { encoding: 'utf8' })).toContain('oci-layout');
    const { code, stderr } = await run(own, 'buildx', 'build', '-f', 'app/bad', 'app');
    expect(code).toBe(1);
    expect(stderr).toMatch(/bad:2\n-+\n[\s\S]*>>> RUN exit 7[\s\S]*did not complete successfully: exit code: 7/);
  });

  test('bakes, and sees the cache there', async () => {
    writeFileSync(
      join(work, 'bake.json'),
      JSON.stringify({
        group: { default: { targets: ['one', 'two'] } },
        target: {
          one: { context: 'app', tags: ['baked:one'] },
          two: {
            'dockerfile-inline': 'FROM base\nRUN echo two >/two',
            contexts: { base: 'target:one' },
            tags: ['baked:two'],
          },
        },
      }),
    );
    await docker('buildx', 'bake', '-f', 'bake.json');
    expect(await contentOf('baked:two', '/two', '/app/f')).toBe('two\nfrom the context\n');
    expect(await docker('buildx', 'ls')).toMatch(/default\s+running/);
    const rows = async (of: Engine) =>
      (
        JSON.parse((await of.api('GET', '/v1.47/system/df?type=build-cache')).body) as { BuildCache: { ID: string }[] }
      ).BuildCache.map(({ ID }) => ID).sort();
    expect((await rows(engine)).length).toBeGreaterThan(3);
    expect(await rows(buildkit)).toEqual(expect.arrayContaining(await rows(engine)));
    expect(await docker('buildx', 'prune', '-af')).toMatch(/Total:/);
    await docker('builder', 'prune', '-af');
    expect(await rows(engine)).toEqual([]);
  });

  test('is told when it is gone, and when it is back', async () => {
    await buildkit.kill('SIGKILL');
    const refused = { code: 1, stderr: expect.stringMatching(/cannot be reached: connect/) };
    expect(await run(own, 'buildx', 'build', 'app')).toMatchObject(refused);
    expect(await run(classic, 'build', 'app')).toMatchObject(refused);
    await buildkit.restart();
    await docker('buildx', 'build', '-q', 'app');
  });

  test('leaves nothing behind', () => {
    const builds = join(engine.dataRoot, 'builds');
    expect(existsSync(builds) ? readdirSync(builds).filter((name) => name.startsWith('build')) : []).toEqual([]);
  });
});
