import { expect, test } from 'vitest';
import { FakeLoki } from '../../../examples/loki-logs/fake-loki.fixture.js';
import { BothEngines } from '../support/both-engines.js';

const count = 20_000;
/** Far more than pipe and backlog hold. */
const prints = `i=0; while [ $i -lt ${count} ]; do echo line $i of many; i=$((i+1)); done; touch /done; sleep 1000`;

/** As the plugin says them. */
const droppedIn = (said: string) =>
  [...said.matchAll(/\b(\d+) lines were dropped/g)].reduce((sum, [, lines]) => sum + Number(lines), 0);

test('output goes to Loki, which holds up nothing when it is away, on both engines', async () => {
  await using both = await BothEngines.start();
  await using loki = new FakeLoki();
  await loki.start();
  for (const { name, ok, refused } of both.sides) {
    const example = await both.startExample('loki-logs', () => []);
    const options = [
      `loki-url=${loki.url}`,
      'loki-tenant=team',
      'loki-batch-wait=50ms',
      'labels=app',
      `loki-labels=on=${name}`,
    ];
    const logged = [
      `--log-driver=${example.driver}`,
      ...options.map((option) => `--log-opt=${option}`),
      '--network=none',
    ];
    const side = { on: name };

    const printer = ['busybox', 'sh', '-c', 'echo one; echo two; echo three >&2'];
    await ok('run', '--rm', '--name=printer', '--label=app=shop', ...logged, ...printer);
    const labels = { ...side, container: 'printer', image: 'busybox', app: 'shop' };
    await expect.poll(() => loki.lines({ ...labels, source: 'stdout' })).toEqual(['one', 'two']);
    await expect.poll(() => loki.lines({ ...labels, source: 'stderr' })).toEqual(['three']);
    expect(loki.pushes.at(-1)?.tenant).toBe('team');
    expect(await refused('run', '--rm', ...logged, '--log-opt=loki-colour=red', 'busybox', 'true')).toContain(
      'loki-logs has no option loki-colour; it has loki-url, ',
    );

    await loki.stop();
    const small = ['--log-opt=loki-batch-size=16k', '--log-opt=loki-backlog=64k'];
    await ok('run', '-d', '--name=busy', ...logged, ...small, 'busybox', 'sh', '-c', prints);
    await expect.poll(async () => (await ok('exec', 'busy', 'ls', '/')).includes('done')).toBe(true);
    await expect.poll(() => example.said).toContain('the oldest lines are dropped');
    await ok('stop', '-t', '0', 'busy');
    await ok('rm', 'busy');
    await loki.start();
    const busy = () => loki.lines({ ...side, container: 'busy' });
    await expect.poll(() => busy().at(-1)).toBe(`line ${count - 1} of many`);
    await expect.poll(() => busy().length + droppedIn(example.said)).toBe(count);
    expect(busy().length).toBeLessThan(count / 4);
    const numbers = busy().map((line) => Number(line.split(' ')[1]));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  }
});
