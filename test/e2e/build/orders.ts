import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { builder, busybox, context, contexts, docker, dockerfile, ok, post, tarOf } from './bench.js';

/** Requests to a builder, and those that are refused before it hears of them. */
export function orderTests(): void {
  test('has every option of docker build', async () => {
    const options = [
      ...['--build-arg=A=1', '--build-arg=UNKNOWN_HERE', '--label=l=v', '--target=prod', '--no-cache', '--pull'],
      ...['--network=none', '--add-host=db:192.0.2.1', '--ulimit=nofile=10:20', '--memory=64m', '--memory-swap=-1'],
      ...['--shm-size=32m', '--cpu-shares=7', '--cpu-period=1000', '--cpu-quota=2000', '--cpuset-cpus=0'],
      ...[
        '--cpuset-mems=0',
        '--cgroup-parent=/p',
        '--cache-from=one,two',
        '--rm=false',
        '--file',
        join(context, 'other'),
      ],
    ];
    writeFileSync(join(context, 'other'), 'FROM other\n');
    let text = '';
    builder.script = async function* ({ Dockerfile }) {
      text = readFileSync(Dockerfile, 'utf8');
      yield { Result: { Image: busybox } };
    };
    expect(await docker('build', '-t', 'a/b:c', ...options, context)).toMatchObject({ code: 0 });
    expect(text).toBe('FROM other\n');
    const [order] = builder.orders;
    expect(order).toMatchObject({
      ...{
        DockerfileName: 'other',
        BuildArgs: { A: '1' },
        Labels: { l: 'v' },
        Target: 'prod',
        NoCache: true,
        Pull: true,
      },
      ...{ Network: 'none', ExtraHosts: ['db:192.0.2.1'], Ulimits: [{ Name: 'nofile', Hard: 20, Soft: 10 }] },
      ...{
        Memory: 64 * 1024 ** 2,
        MemorySwap: -1,
        ShmSize: 32 * 1024 ** 2,
        CpuShares: 7,
        CpuPeriod: 1000,
        CpuQuota: 2000,
      },
      ...{ CpuSetCpus: '0', CpuSetMems: '0', CgroupParent: '/p', CacheFrom: ['one', 'two'], KeepContainers: true },
    });
    expect(existsSync(order?.Context ?? '')).toBe(false);
    await ok('rmi', 'a/b:c');
  });

  test('has the credentials that the client sent, by host', async () => {
    const config = {
      'https://index.docker.io/v1/': { username: 'me', password: 'x' },
      'r.test:5000': { auth: 'eA==' },
    };
    const headers = { 'X-Registry-Config': Buffer.from(JSON.stringify(config)).toString('base64url') };
    await post({ body: await tarOf(dockerfile), headers });
    expect(builder.orders[0]?.RegistryAuth).toEqual({
      'docker.io': { username: 'me', password: 'x' },
      'r.test:5000': { auth: 'eA==' },
    });
    await post({ body: await tarOf(dockerfile), headers: { 'X-Registry-Config': 'no JSON' } });
    expect(builder.orders[1]?.RegistryAuth).toBeUndefined();
  });

  const json = (value: unknown) => encodeURIComponent(JSON.stringify(value));
  test.each<[string, number, string]>([
    ['dockerfile=none', 500, 'Cannot locate specified Dockerfile: none'],
    ['dockerfile=../x', 500, 'forbidden path outside the build context: ../x ()'],
    ['dockerfile=empty', 400, 'the Dockerfile (empty) cannot be empty'],
    ['remote=foo', 500, 'remoteURL (foo) could not be recognized as URL'],
    ['remote=client-session', 400, 'experimental session with v1 builder is no longer supported'],
    ['version=3', 400, 'invalid version "3"'],
    ['squash=1', 400, 'squash is only supported with experimental mode'],
    ['isolation=hyperv', 400, 'unsupported isolation: "hyperv"'],
    ['securityopt=a', 400, 'security options are not supported on linux'],
    ['shmsize=x', 400, 'strconv.ParseInt: parsing "x": invalid syntax'],
    ['memory=x', 400, 'parsing "x": invalid syntax'],
    ['ulimits=x', 400, 'error reading ulimit settings: '],
    ['buildargs=x', 400, 'error reading build args: '],
    ['labels=x', 400, 'error reading labels: '],
    ['cachefrom=x', 400, 'error reading cache-from: '],
    ['outputs=x', 400, 'invalid outputs specified: '],
    [`outputs=${json([{ Type: 'tar' }])}`, 400, 'outputs are for BuildKit'],
    ['t=UP', 500, 'invalid reference format: repository name (library/UP) must be lowercase'],
    [`t=a@sha256:${'0'.repeat(64)}`, 500, 'build tag cannot contain a digest'],
  ])('%s is refused as by a stock engine, with %i', async (query, status, message) => {
    const answer = await post({ query, body: await tarOf(dockerfile, { name: 'empty' }) });
    expect(answer).toMatchObject({ status, text: expect.stringContaining(JSON.stringify(message).slice(1, -1)) });
    expect(builder.orders).toEqual([]);
    expect(contexts()).toEqual([]);
  });
}
