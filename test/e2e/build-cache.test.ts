import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Engine, startEngine } from './support/engine.js';
import { hasNewerClients, newerClientsIn } from './support/newer-clients.js';
import { Registry } from './support/registry.js';

/** Builds on one engine, then on another that has nothing: what a cache brings is what is not done again. */
describe.skipIf(!hasNewerClients || spawnSync('docker-registry', ['--version']).status !== 0)(
  'a cache goes to another engine',
  () => {
    let first: Engine;
    let second: Engine;
    let registry: Registry;
    let work: string;
    const text = [
      'FROM busybox AS made',
      'RUN cat /proc/sys/kernel/random/uuid >/one',
      'COPY file /two',
      'RUN cat /proc/sys/kernel/random/uuid >/three',
      'FROM busybox',
      'WORKDIR /w',
      'COPY --from=made /one /three /w/',
      'RUN cat /w/one >/w/last',
    ].join('\n');
    const steps = [
      'RUN cat /proc/sys/kernel/random/uuid >/one',
      'COPY file /two',
      'RUN cat /proc/sys/kernel/random/uuid >/three',
      'WORKDIR /w',
      'COPY --from=made /one /three /w/',
      'RUN cat /w/one >/w/last',
    ];

    beforeAll(async () => {
      [first, second, registry] = await Promise.all([startEngine(), startEngine(), Registry.start()]);
      work = join(first.directory, 'work');
      mkdirSync(join(work, 'app'), { recursive: true });
      writeFileSync(join(work, 'app/Dockerfile'), text);
      writeFileSync(join(work, 'app/file'), 'content');
      newerClientsIn(first.directory);
    });
    afterAll(async () => {
      await Promise.all([first, second, registry].map((one) => one?.[Symbol.asyncDispose]()));
    });

    async function build(engine: Engine, ...flags: string[]) {
      const env = { DOCKER_CONFIG: join(first.directory, 'newer-clients'), NO_COLOR: '1' };
      const { code, stderr } = await engine.docker('buildx', 'build', '--progress=plain', ...flags, 'app', {
        env,
        cwd: work,
        timeoutMs: 240_000,
      });
      const cached = [...stderr.matchAll(/^#(\d+) CACHED$/gm)].map(([, number]) => number);
      const names = cached.map((number) => new RegExp(`^#${number} \\[.*?\\] (.*)$`, 'm').exec(stderr)?.[1] ?? '');
      return { code, stderr, cached: names };
    }
    const files = async (engine: Engine) =>
      (await engine.docker('run', '--rm', 'made', 'cat', '/w/one', '/w/three', '/w/last')).stdout;
    /** As an engine that has never built: not even its layers are left. */
    async function forget(engine: Engine): Promise<void> {
      await engine.docker('rmi', '-f', 'made');
      expect((await engine.docker('builder', 'prune', '-af')).code).toBe(0);
    }

    test('by a registry, with all stages; only builds that name it believe it', async () => {
      const ref = `${registry.host}/cache:max`;
      const made = await build(first, '-t', 'made', '--cache-to', `type=registry,ref=${ref},mode=max`);
      expect(made.stderr).toContain('exporting cache to registry');
      expect(made.code).toBe(0);
      const taken = await build(second, '-t', 'made', '--cache-from', `type=registry,ref=${ref}`);
      expect(taken.cached.toSorted(), taken.stderr).toEqual(steps.toSorted());
      expect(await files(second)).toBe(await files(first));
      // The word of a cache is not believed by builds that do not name it.
      expect((await build(second)).cached).toEqual([]);
      await forget(second);
      const changed = await build(second, '-t', 'made', '--cache-from', ref, '--build-arg', 'x=1', '--target', 'made');
      expect(changed.cached.toSorted()).toEqual(steps.slice(0, 3).toSorted());
      await forget(second);
    });

    test('in a directory of the client, of which what is damaged counts for nothing', async () => {
      const made = await build(first, '-t', 'made', '--cache-to', 'type=local,dest=cache,mode=max');
      expect(made.code, made.stderr).toBe(0);
      expect(made.cached.toSorted()).toEqual(steps.toSorted());
      const index = JSON.parse(readFileSync(join(work, 'cache/index.json'), 'utf8'));
      const path = (digest: string) => join(work, 'cache/blobs', digest.replace(':', '/'));
      for (const name of readdirSync(join(work, 'cache/blobs/sha256'))) {
        expect(
          createHash('sha256')
            .update(readFileSync(path(`sha256:${name}`)))
            .digest('hex'),
        ).toBe(name);
      }
      const taken = await build(second, '-t', 'made', '--cache-from', 'type=local,src=cache');
      expect(taken.cached.toSorted(), taken.stderr).toEqual(steps.toSorted());
      expect(await files(second)).toBe(await files(first));
      await forget(second);
      const manifest = JSON.parse(readFileSync(path(index.manifests[0].digest), 'utf8'));
      for (const { digest } of manifest.layers) writeFileSync(path(digest), 'something else');
      const damaged = await build(second, '-t', 'made', '--cache-from', 'type=local,src=cache');
      expect(damaged.code, damaged.stderr).toBe(0);
      expect(await files(second)).not.toBe(await files(first));
      await forget(second);
    });

    test('the smaller way: what is not needed is neither sent nor done', async () => {
      const ref = `${registry.host}/cache:min`;
      await build(first, '-t', 'made', '--cache-to', `type=registry,ref=${ref}`);
      const taken = await build(second, '-t', 'made', '--cache-from', ref);
      expect(taken.cached.toSorted(), taken.stderr).toEqual(steps.toSorted());
      expect(await files(second)).toBe(await files(first));
      await forget(second);
      // The last step of the first stage has changed: its other steps must be done, too.
      writeFileSync(join(work, 'app/Dockerfile'), text.replace('>/three', '>/three; true'));
      const changed = await build(second, '-t', 'made', '--cache-from', ref);
      writeFileSync(join(work, 'app/Dockerfile'), text);
      expect(changed.code, changed.stderr).toBe(0);
      expect(await files(second)).not.toBe(await files(first));
      await forget(second);
    });

    test('within an image', async () => {
      const name = `${registry.host}/app:1`;
      const made = await build(first, '-t', name, '--push', '--cache-to', 'type=inline');
      expect(made.code, made.stderr).toBe(0);
      const taken = await build(second, '-t', 'made', '--cache-from', name);
      expect(taken.cached.toSorted(), taken.stderr).toEqual(steps.toSorted());
    });

    test.each<[string, string[], RegExp]>([
      [
        'places that are not served',
        ['--cache-to', 'type=azblob,account_url=http://x.test,name=n,secret_access_key=k'],
        /type azblob is not written here: keep it in a registry/,
      ],
      [
        'nor read',
        ['--cache-from', 'type=azblob,account_url=http://x.test,name=n,secret_access_key=k'],
        /type azblob is not read here/,
      ],
      ['forms that are not', ['--cache-to', 'type=local,dest=c2,compression=zstd'], /use gzip or uncompressed/],
      ['options that nobody knows', ['--cache-to', 'type=inline,what=ever'], /option what/],
      ['registries that are not there', ['--cache-to', 'type=registry,ref=127.0.0.1:1/x'], /connection refused/],
    ])('%s fail the build', async (_name, flags, message) => {
      const { code, stderr } = await build(first, ...flags);
      expect(stderr).toMatch(message);
      expect(code).toBe(1);
    });

    test('a cache that cannot be had, or written where that may be, is a warning', async () => {
      const to = 'type=registry,ref=127.0.0.1:1/x,ignore-error=true';
      const { code, stderr } = await build(first, '--cache-from', '127.0.0.1:1/y', '--cache-to', to);
      expect(code, stderr).toBe(0);
      expect(stderr).toMatch(/importing cache manifest from 127\.0\.0\.1:1\/y/);
    });
  },
);
