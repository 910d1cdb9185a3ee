import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BothEngines } from '../support/both-engines.js';

test('data outlives docker volume rm, on both engines, which one program serves', async () => {
  await using both = await BothEngines.start();
  // It comes after both of them.
  const { driver } = await both.startExample('no-remove', (own) => ['--root', join(own, 'data')]);
  let lines = '';
  for (const { ok } of both.sides) {
    const volume = ['--network=none', '-v', 'data:/d', `--volume-driver=${driver}`];
    const run = (script: string) => ok('run', '--rm', ...volume, 'busybox', 'sh', '-c', script);
    await run('echo kept >> /d/f');
    expect(await ok('volume', 'inspect', '--format', '{{.Driver}} {{.Scope}}', 'data')).toBe(`${driver} local`);
    await ok('volume', 'rm', 'data');
    expect(await ok('volume', 'ls', '-q')).toBe('');
    // The second engine finds what the first one's containers left.
    lines = `${lines}\nkept`.trim();
    expect(await run('cat /d/f')).toBe(lines);
    await ok('volume', 'rm', 'data');
  }
});
