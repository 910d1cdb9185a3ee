import { join } from 'node:path';
import { expect, test } from 'vitest';
import { build, built, inside, ok, place } from './bench.js';

/** Lines of a classic build as moby's builder tells them (`daemon/builder/dockerfile`), compared with dockerd 26.1. */
export function classicTests(): void {
  /** The lines with letters for the IDs, in the order in which they come; `base` is busybox. */
  async function said(text: string, ...args: string[]): Promise<string[]> {
    const base = (await ok('images', '-q', '--no-trunc', 'busybox')).slice(7, 19);
    const names = new Map([[base, 'base']]);
    const name = (id: string) => {
      names.set(id, names.get(id) ?? String.fromCharCode(97 + names.size - 1));
      return names.get(id) ?? '';
    };
    const { stdout } = await build(text, ...args);
    return stdout
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('Sending'))
      .map((line) => line.trim().replace(/\b[0-9a-f]{12}\b/g, name));
  }
  const cached = (lines: readonly string[]) => lines.filter((line) => line === '---> Using cache').length;

  test('each step has an image of its own; the last one is the result', async () => {
    const text = 'FROM busybox\nRUN echo own steps > /f\nENV A=b\nCMD ["x"]';
    expect(await said(text, '--label', 'z=1', '--label', 'y=2')).toEqual([
      ...['Step 1/6 : FROM busybox', '---> base'],
      ...['Step 2/6 : RUN echo own steps > /f', '---> Running in a', '---> Removed intermediate container a', '---> b'],
      ...['Step 3/6 : ENV A=b', '---> c', 'Step 4/6 : CMD ["x"]', '---> d'],
      ...['Step 5/6 : LABEL y=2', '---> e', 'Step 6/6 : LABEL z=1', '---> f', 'Successfully built f'],
    ]);
    const again = await said(text, '--label', 'z=1', '--label', 'x=3', '-t', 'own');
    expect(again).toEqual([
      ...['Step 1/6 : FROM busybox', '---> base'],
      ...['Step 2/6 : RUN echo own steps > /f', '---> Using cache', '---> a'],
      ...['Step 3/6 : ENV A=b', '---> Using cache', '---> b', 'Step 4/6 : CMD ["x"]', '---> Using cache', '---> c'],
      ...['Step 5/6 : LABEL x=3', '---> d', 'Step 6/6 : LABEL z=1', '---> e', 'Successfully built e'],
      'Successfully tagged own:latest',
    ]);
    const { stdout } = await build(text);
    const [, , env = ''] = [...stdout.matchAll(/^ ---> ([0-9a-f]{12})$/gm)].map(([, id]) => id);
    expect(await ok('run', '--rm', env, 'sh', '-c', 'cat /f; echo $A')).toBe('own steps\nb');
    const history = (await ok('history', '--format', '{{.CreatedBy}}', 'own')).split('\n');
    expect(history.slice(0, 4)).toEqual(['LABEL z=1', 'LABEL x=3', 'CMD ["x"]', 'ENV A=b']);
    // Without the cache it is another image.
    const ids = await Promise.all([built(text), built(text), built(text, '--no-cache')]);
    expect(new Set(ids).size).toBe(2);
  });

  test('a stage without steps is its base', async () => {
    expect(await said('FROM busybox')).toEqual(['Step 1/1 : FROM busybox', '---> base', 'Successfully built base']);
    expect(await said('FROM scratch\nCMD ["x"]')).toEqual([
      ...['Step 1/2 : FROM scratch', '--->', 'Step 2/2 : CMD ["x"]', '---> a', 'Successfully built a'],
    ]);
    expect(await build('FROM scratch')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('No image was generated. Is your Dockerfile empty?'),
    });
  });

  test('triggers belong to the step of FROM; a health check that goes is noted', async () => {
    const parent = await built('FROM busybox\nONBUILD RUN echo triggered\nONBUILD ENV X=y\nHEALTHCHECK CMD true');
    const text = `FROM ${parent}\nHEALTHCHECK NONE`;
    const run = ['---> Running in b', 'triggered', '---> Removed intermediate container b'];
    const end = ['Note: overriding previous HEALTHCHECK: [CMD-SHELL true]'];
    const from = [`Step 1/2 : FROM ${parent}`, '# Executing 2 build triggers'];
    const lines = (await said(text)).filter((line) => !/^\[Warning\]/.test(line));
    expect(lines).toEqual([
      ...[...from, ...run.map((line) => line.replace(/b$/, 'a')), '---> b'],
      ...['Step 2/2 : HEALTHCHECK NONE', ...end, '---> c', 'Successfully built c'],
    ]);
    expect(await said(text)).toEqual([
      ...[...from, '---> Using cache', '---> Using cache', '---> a', 'Step 2/2 : HEALTHCHECK NONE', ...end],
      ...['---> Using cache', '---> b', 'Successfully built b'],
    ]);
  });

  test('--cache-from names all that the cache has', async () => {
    const text = 'FROM busybox\nENV FOO=cache\nRUN echo from > /f; cat /proc/sys/kernel/random/uuid > /id\nRUN true';
    const first = await built(text, '-t', 'source');
    const id = await inside('source', 'cat /id');
    expect(cached(await said(text, '--cache-from', 'source'))).toBe(3);
    expect(cached(await said(text, '--cache-from', 'nosuchtag'))).toBe(0);
    // Another step, and what comes after it, is not in the source.
    const longer = `${text}\nENV MORE=1`;
    await built(longer);
    expect(cached(await said(longer, '--cache-from', 'source'))).toBe(3);
    expect(cached(await said(text.replace('echo', 'echo  -n'), '--cache-from', 'source'))).toBe(1);
    // An image brings its steps along, to a host that has never built it; only to who names it.
    await ok('save', '-o', join(place, 'source.tar'), 'source');
    await ok('rmi', '-f', 'source');
    await ok('builder', 'prune', '-af');
    await ok('load', '-i', join(place, 'source.tar'));
    expect(cached(await said(text, '--cache-from', 'source', '-t', 'same'))).toBe(3);
    expect(await inside('same', 'cat /id')).toEqual(id);
    expect(await ok('images', '-q', '--no-trunc', 'same')).toBe(first);
    expect(await inside(await built(text), 'cat /id')).not.toEqual(id);
  });

  test('the container of a RUN that fails stays, but by --force-rm', async () => {
    const text = 'FROM busybox\nRUN echo kept > /kept; exit 3';
    const left = async () => (await ok('ps', '-aq')).split('\n').filter(Boolean);
    for (const [flag, count] of [
      ['--rm=true', 1],
      ['--rm=false', 1],
      ['--force-rm', 0],
    ] as const) {
      const { code, stdout } = await build(text, flag);
      expect([flag, code, /Removed intermediate container/.test(stdout)]).toEqual([flag, 3, count === 0]);
      const ids = await left();
      expect([flag, ids.length]).toEqual([flag, count]);
      for (const id of ids) {
        expect(await ok('diff', id)).toContain('A /kept');
        await ok('rm', id);
      }
    }
    await build('FROM busybox\nRUN echo all is well', '--rm=false', '--no-cache');
    const [kept = ''] = await left();
    expect(await ok('inspect', '-f', '{{.State.ExitCode}}', kept)).toBe('0');
    await ok('rm', kept);
  });
}
