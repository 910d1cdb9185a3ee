import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { BuildLine, BuildRequest } from '@cleat/protocol/kinds/builder';
import { silentLogger } from '@cleat/protocol/log';
import { describe, expect, test } from 'vitest';
import { eachLine } from './buildah.js';
import { BuildahBuilder } from './driver.js';
import { buildFlags } from './flags.js';
import { Output } from './output.js';

const order: BuildRequest = { ID: 'b', Engine: '/e', Context: '/context', Dockerfile: '/beside/Dockerfile' };
const flags = (more: Partial<BuildRequest>) =>
  buildFlags({ ...order, ...more }, { idFile: '/id', authFile: '/auth' }).filter(
    (flag) => !buildFlags(order, { idFile: '/id', authFile: '/auth' }).includes(flag),
  );

describe('an order as options of buildah', () => {
  test('has the context last, and the Dockerfile beside it', () => {
    const all = buildFlags(order, { idFile: '/id', authFile: '/auth' });
    expect(all).toContain('--file=/beside/Dockerfile');
    expect(all.slice(-2)).toEqual(['--', '/context']);
  });

  test.each<[Partial<BuildRequest>, string[]]>([
    [{ Target: 'prod', Platform: 'linux/arm64' }, ['--target=prod', '--platform=linux/arm64']],
    [{ BuildArgs: { A: '1=2', B: '' } }, ['--build-arg=A=1=2', '--build-arg=B=']],
    [{ BuildArgs: { SOURCE_DATE_EPOCH: '7' } }, ['--build-arg=SOURCE_DATE_EPOCH=7', '--timestamp=7']],
    [{ Labels: { a: 'b' }, NoCache: true, Pull: true }, ['--label=a=b', '--no-cache', '--pull-always']],
    [{ Network: 'none', ExtraHosts: ['a:1.2.3.4'] }, ['--network=none', '--add-host=a:1.2.3.4']],
    [{ ShmSize: 64, Memory: 1024, MemorySwap: -1 }, ['--shm-size=64b', '--memory=1024b', '--memory-swap=-1']],
    [
      { Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }], CgroupParent: '/p' },
      ['--ulimit=nofile=1:2', '--cgroup-parent=/p'],
    ],
    [{ CpuShares: 1, CpuPeriod: 2, CpuQuota: 3 }, ['--cpu-shares=1', '--cpu-period=2', '--cpu-quota=3']],
    [
      { CpuSetCpus: '0', CpuSetMems: '1', SecurityOpt: ['x=y'] },
      ['--cpuset-cpus=0', '--cpuset-mems=1', '--security-opt=x=y'],
    ],
    [
      { Secrets: [{ ID: 's', File: '/f' }], SSH: [{ ID: 'default', Socket: '/s' }] },
      ['--secret=id=s,src=/f', '--ssh=default=/s'],
    ],
    [
      { CacheFrom: ['r.test:5000/a'], CacheTo: ['type=registry,ref=r.test/b,mode=max'] },
      ['--cache-from=r.test:5000/a', '--cache-to=r.test/b'],
    ],
    [
      { Contexts: { a: { Directory: '/a' }, b: { Image: 'busybox' } } },
      ['--build-context=a=/a', '--build-context=b=docker-image://busybox'],
    ],
  ])('%j', (more, expected) => expect(flags(more)).toEqual(expected));

  test.each<[Partial<BuildRequest>, RegExp]>([
    [{ NoCacheFilter: ['a'] }, /no-cache-filter/],
    [{ CacheFrom: ['r.test:5000/a:1'] }, /leave the tag out/],
    [{ CacheFrom: ['type=local,src=/a,digest=x'] }, /in registries only/],
    [{ CacheTo: ['type=inline'] }, /in registries only/],
    [{ CacheTo: ['type=registry,ref=a,mode=min'] }, /mode=max/],
    [{ CacheTo: ['type=registry,ref=a,ignore-error=true'] }, /ignore-error/],
    [{ KeepContainers: true }, /rm=false/],
    [{ Allow: ['security.insecure'] }, /security\.insecure/],
    [{ Network: 'mine' }, /network "mine"/],
  ])('%j is refused', (more, reason) => expect(() => flags(more)).toThrow(reason));
});

function told(lines: readonly (readonly [1 | 2, string])[], end: (output: Output) => void): BuildLine[] {
  const all: BuildLine[] = [];
  const output = new Output((line) => all.push(line));
  for (const [stream, text] of lines) output.line(stream, text);
  end(output);
  return all;
}

describe('the words of buildah', () => {
  test('are steps, output and a result', () => {
    const lines = told(
      [
        [1, '[1/2] STEP 1/1: FROM busybox AS a'],
        [1, '--> Using cache 9f5ec84dc5ed7378b1cc'],
        [1, '[2/2] STEP 1/2: FROM scratch'],
        [1, '[2/2] STEP 2/2: RUN echo hi'],
        [1, 'hi'],
        [2, 'err'],
        [1, '[2/2] COMMIT'],
        [1, '--> d801799b6c6b'],
      ],
      (output) => output.succeed('sha256:1'),
    );
    const steps = lines.flatMap(({ Vertex }) => (Vertex?.Completed ? [Vertex] : []));
    expect(steps.map(({ Step, Steps, Name, Cached }) => [Step, Steps, Name, Cached ?? false])).toEqual([
      [1, 1, 'FROM busybox AS a', true],
      [2, 3, 'FROM scratch', false],
      [3, 3, 'RUN echo hi', false],
    ]);
    expect(lines.flatMap(({ Log }) => (Log ? [[Log.Stream, Buffer.from(Log.Data, 'base64').toString()]] : []))).toEqual(
      [
        [1, 'hi\n'],
        [2, 'err\n'],
      ],
    );
    expect(lines.at(-1)).toEqual({ Result: { Image: 'sha256:1' } });
  });

  test.each([
    ['RUN false', "The command '/bin/sh -c false' returned a non-zero code: 3"],
    ['RUN ["/bin/x", "-y"]', "The command '/bin/x -y' returned a non-zero code: 3"],
  ])('a failure of %s has its code', (name, message) => {
    const why = `Error: building at STEP "${name}": while running runtime: exit status 3`;
    const lines = told(
      [
        [1, `STEP 2/2: ${name}`],
        [2, why],
      ],
      (output) => output.fail('it failed'),
    );
    expect(lines.at(-1)).toEqual({ Error: { Message: message, Code: 3, Vertex: '2' } });
  });

  test('a failure before the first step is told as it is', () => {
    expect(told([[2, 'Error: no such file']], (output) => output.fail('it failed'))).toEqual([
      { Error: { Message: 'no such file' } },
    ]);
    expect(told([], (output) => output.fail('it failed'))).toEqual([{ Error: { Message: 'it failed' } }]);
  });
});

describe('a build that prints more than is read', () => {
  test('has lines of a length', async () => {
    const lines: number[] = [];
    await eachLine(Readable.from(['ab\nc', 'd\n', 'x'.repeat(70_000), 'y'.repeat(70_000), 'z']), (line) => {
      lines.push(line.length);
    });
    expect(lines).toEqual([2, 2, 70_000, 70_000, 1]);
  });

  test('waits, and is ended with its reader; what a killed engine left of one is gone', async () => {
    const stateDir = mkdtempSync('/tmp/cleat-buildah-');
    const command = join(stateDir, 'program');
    const printed = join(stateDir, 'printed');
    const script = `case "$*" in *--iidfile*) ;; *) exit 0 ;; esac
      echo "STEP 1/1: RUN yes"; i=0
      while :; do printf '%01000d\\n' $i; i=$((i + 1)); echo $i >${printed}; done`;
    writeFileSync(command, `#!/bin/sh\n${script}\n`);
    chmodSync(command, 0o755);
    mkdirSync(join(stateDir, 'build-old'));
    writeFileSync(join(stateDir, 'Dockerfile'), 'FROM scratch\n');
    const builder = new BuildahBuilder({ command, stateDir, runtime: 'runc', storageDriver: 'vfs' }, silentLogger);
    const { signal } = new AbortController();
    try {
      const given = { ...order, Dockerfile: join(stateDir, 'Dockerfile') };
      const reading = builder.Build(given, { signal } as Parameters<typeof builder.Build>[1])[Symbol.asyncIterator]();
      await reading.next();
      const count = () => (existsSync(printed) ? Number(readFileSync(printed, 'utf8')) : 0);
      // The pipe and what waits hold some thousand lines of that length; then it stands still.
      let before = -1;
      const standsStill = () => {
        const last = before;
        before = count();
        return before > 256 && before === last;
      };
      await expect.poll(standsStill, { interval: 300 }).toBe(true);
      expect(before).toBeLessThan(5_000);
      expect(existsSync(join(stateDir, 'build-old'))).toBe(false);
      await reading.return?.();
      await expect.poll(() => readdirSync(stateDir).filter((name) => name.startsWith('build-'))).toEqual([]);
    } finally {
      rmSync(stateDir, { recursive: true });
    }
  });
});
