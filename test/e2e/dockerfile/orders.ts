import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type BuildLine, type BuildRequest, builderKind } from '@cleat/protocol/kinds/builder';
import { startForTest } from '@cleat/sdk/testing';
import { expect, test } from 'vitest';
import dockerfile from '../../../batteries/builder-dockerfile/main.js';
import { context, engine, ok, place, put } from './bench.js';

/** Orders that the builder is given without a client: the classic one has no words for them. */
export function orderTests(): void {
  const orders = { NoCache: true } satisfies Partial<BuildRequest>;
  let count = 0;

  async function ordered(text: string, more: Partial<BuildRequest> = {}, stateDir = join(place, 'state')) {
    // The engine opens a builder's socket when the builder is first asked.
    await ok('system', 'df');
    await using extension = await startForTest(dockerfile, {
      name: 'dockerfile',
      carrier: 'in-process',
      options: { stateDir },
    });
    writeFileSync(join(place, 'Ordered'), text);
    const stream = await extension.client(builderKind).Build({
      ID: `own-${++count}`,
      Engine: join(engine.execRoot, 'build/dockerfile.sock'),
      Context: context,
      Dockerfile: join(place, 'Ordered'),
      ...more,
    });
    let said = '';
    for await (const chunk of stream) said += Buffer.from(chunk).toString();
    const lines = said
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as BuildLine);
    const log = lines.map(({ Log }) => (Log ? Buffer.from(Log.Data, 'base64').toString() : '')).join('');
    expect(readdirSync(join(stateDir, 'builds'))).toEqual([]);
    return { lines, log, end: lines.at(-1) };
  }

  test('mounts are there while RUN runs, and leave nothing in the layer', async () => {
    put({ 'd/f': 'from the context' });
    writeFileSync(join(place, 'secret'), 'never to be kept');
    const agent = createServer((client) => client.end('agent says hello\n'));
    await new Promise<void>((resolve) => agent.listen(join(place, 'agent'), resolve));
    try {
      const { log, end } = await ordered(
        [
          'FROM busybox AS other',
          'RUN mkdir /o && echo from the stage > /o/f',
          'FROM busybox',
          'WORKDIR /w',
          'RUN --mount=type=secret,id=s --mount=type=secret,id=s,target=/a/b/c,uid=5,mode=0440 --mount=type=secret,id=s,env=SECRET \\',
          '  cat /run/secrets/s; stat -c "%a %u" /a/b/c; echo "$SECRET"; mount | grep -c " /run/secrets/s type ramfs"',
          'RUN --mount=type=bind,source=d,target=in --mount=type=bind,from=other,source=/o,target=/o,rw \\',
          '  cat in/f /o/f; touch in/x 2>/dev/null || echo read-only; echo changed > /o/f; cat /o/f',
          'RUN --mount=type=tmpfs,target=/t,size=1m df /t | tail -1 | tr -s " " | cut -d" " -f2',
          'RUN --mount=type=cache,target=/c,uid=7,mode=0700 --mount=type=cache,id=other,target=/c2,from=other,source=/o \\',
          '  stat -c "%a %u" /c; cat /c2/f; echo again >> /c/n; cat /c/n | wc -l',
          'RUN --mount=type=ssh,uid=9 stat -c "%F %u" $SSH_AUTH_SOCK',
          'RUN find / -xdev -newer /o 2>/dev/null | grep -E "^/(a|c|c2|t|o|run|w/in)" || echo nothing is left',
        ].join('\n'),
        {
          ...orders,
          Secrets: [{ ID: 's', File: join(place, 'secret') }],
          SSH: [{ ID: 'default', Socket: join(place, 'agent') }],
        },
      );
      expect(end).toMatchObject({ Result: {} });
      for (const said of [
        'never to be kept',
        '440 5',
        'from the contextfrom the stage',
        'read-only\nchanged',
        '1024',
        'socket 9',
        '700 7\nfrom the stage\n1',
        'nothing is left',
      ]) {
        expect(log).toContain(said);
      }
      // Neither in a layer nor in the cache.
      const places = ['layers', 'blobs'].map((name) => join(engine.dataRoot, name));
      for (const one of [...places, join(place, 'state')]) {
        expect(existsSync(one)).toBe(true);
        expect(execFileSync('sh', ['-c', `grep -rl 'never to be kept' ${one} || true`]).toString()).toBe('');
      }
      const again = await ordered('FROM busybox\nRUN --mount=type=cache,target=/c cat /c/n | wc -l', orders);
      expect(again.log.trim()).toBe('1');
    } finally {
      agent.close();
    }
  });

  test('caches of one space are not those of another, nor are the steps that read them', async () => {
    const write = 'FROM busybox\nRUN --mount=type=cache,target=/s,id=spaced echo one >> /s/n';
    const read = 'FROM busybox\nRUN --network=none --mount=type=cache,id=spaced,target=/s cat /s/n 2>&1 || true';
    const space = (name: string) => ({ ...orders, BuildArgs: { BUILDKIT_CACHE_MOUNT_NS: name } });
    await ordered(write, space('a'));
    expect((await ordered(read, space('a'))).log).toBe('one\n');
    for (const other of [space('b'), orders]) expect((await ordered(read, other)).log).toContain("can't open");
  });

  test('further contexts are images and directories', async () => {
    put({ f: 'main' });
    const further = join(place, 'further');
    mkdirSync(join(further, 'sub'), { recursive: true });
    writeFileSync(join(further, 'sub/g'), 'further');
    const { end, log } = await ordered(
      'FROM base\nCOPY --from=more sub/g /g\nCOPY f /f\nRUN --mount=from=more,target=/m cat /g /f /m/sub/g\nFROM more\nCOPY --from=0 /f /f',
      { ...orders, Contexts: { base: { Image: 'busybox' }, more: { Directory: further } }, Target: '0' },
    );
    expect(end).toMatchObject({ Result: {} });
    expect(log).toBe('furthermainfurther');
  });

  test('the same image twice with SOURCE_DATE_EPOCH, from caches of their own', async () => {
    put({ f: 'f' });
    const text = 'FROM busybox\nENV A=b\nWORKDIR /w\nCOPY f f\nCOPY <<x /x\n1\nx\nCMD ["x"]';
    const epoch = { BuildArgs: { SOURCE_DATE_EPOCH: '86400' } };
    const one = await ordered(text, epoch, join(place, 'state-a'));
    const two = await ordered(text, epoch, join(place, 'state-b'));
    expect(one.end?.Result?.Image).toMatch(/^sha256:/);
    expect(two.end).toEqual(one.end);
  });

  test('stages that do not need each other work at the same time', async () => {
    // Each waits for the other by way of a cache that they share.
    const meet = (own: string, other: string) =>
      `RUN --mount=type=cache,id=meet,target=/m touch /m/${own}; until test -e /m/${other}; do sleep 0.05; done`;
    const { end } = await ordered(
      `FROM busybox AS a\n${meet('a', 'b')}\nFROM busybox AS b\n${meet('b', 'a')}\nFROM scratch\nCOPY --from=a /bin/true /a\nCOPY --from=b /bin/true /b`,
      orders,
    );
    expect(end).toMatchObject({ Result: {} });
  });
}
