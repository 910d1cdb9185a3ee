import { expect, test } from 'vitest';
import { BothEngines, type Side } from '../support/both-engines.js';

/** The `Status` that `docker volume inspect` shows. */
async function statusOf({ ok }: Side, volume: string): Promise<Record<string, number>> {
  return JSON.parse(await ok('volume', 'inspect', '-f', '{{json .Status}}', volume));
}

test('memory that containers share, within a limit each and a quota for all, on both engines', async () => {
  await using both = await BothEngines.start();
  const options = (own: string) => ['--root', own, '--total', '8m', '--size', '2m'];
  const example = await both.startExample('quota-tmpfs', options);
  const driver = ['--driver', example.driver];
  for (const side of both.sides) {
    const { ok, refused } = side;
    const use = (name: string) =>
      ok('run', '-d', `--name=${name}`, '--network=none', '-v', 'scratch:/s', 'busybox', 'sleep', '1000');
    const inside = (name: string, script: string) => ok('exec', name, 'sh', '-c', script);
    await ok('volume', 'create', ...driver, '-o', 'size=4m', 'scratch');
    await use('one');
    await use('two');
    await inside('one', 'echo shared > /s/file');
    await example.kill();
    expect(await inside('two', 'cat /s/file')).toBe('shared');
    await example.start();
    await ok('restart', '-t0', 'one');
    expect(await inside('one', 'cat /s/file')).toBe('shared');
    expect(await refused('exec', 'two', 'dd', 'if=/dev/zero', 'of=/s/large', 'bs=1M', 'count=5')).toContain(
      'No space left on device',
    );

    expect(await statusOf(side, 'scratch')).toMatchObject({ UsedBytes: 4194304, LimitBytes: 4194304 });
    await inside('one', 'rm /s/large');
    expect((await statusOf(side, 'scratch')).UsedBytes).toBe(4096);
    await ok('volume', 'create', ...driver, 'usual');
    expect((await statusOf(side, 'usual')).FreeBytes).toBe(2097152);
    expect(await refused('volume', 'create', ...driver, '-o', 'size=3m', 'more')).toContain(
      'volume more of 3m does not fit, 2m of 8m are left: ask for less',
    );
    expect(await refused('volume', 'create', ...driver, '-o', 'size=0', 'none')).toContain('size must be a number');

    expect(await refused('volume', 'rm', 'scratch')).toContain('volume is in use');
    await ok('rm', '-f', 'one', 'two');
    // No container uses the volume now, and it still exists.
    expect((await statusOf(side, 'scratch')).UsedBytes).toBe(4096);
    await ok('volume', 'rm', 'scratch', 'usual');
    expect(await ok('volume', 'ls', '-q')).toBe('');
  }
});
