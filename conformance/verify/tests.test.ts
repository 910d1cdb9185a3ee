import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { implement } from '@cleat/protocol/extension';
import { metricsKind } from '@cleat/protocol/kinds/metrics';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HealthyCollector } from '../kinds/metrics/healthy.fixture.js';
import { volumeFlaws } from '../kinds/volume/flaws.fixture.js';
import { HealthyVolumes } from '../kinds/volume/healthy.fixture.js';
import { TestPlugin } from '../testing/test-plugin.fixture.js';
import { type ConformanceTest, type ConformanceTests, conformanceTests, type TestOptions } from './tests.js';

describe('a good plugin, in this runner', () => {
  const directory = mkdtempSync('/tmp/cleat-tests-');
  const collector = new TestPlugin(
    join(directory, 'p.sock'),
    () => new HealthyCollector(directory),
    (handlers) => implement(metricsKind, handlers),
  );
  const plugin = conformanceTests(collector.socket, { kinds: ['MetricsCollector'], start: collector });
  afterAll(async () => {
    await plugin.close();
    rmSync(directory, { recursive: true });
  });
  for (const { name, run } of plugin.tests) test(name, run);
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-tests-');
});
afterEach(() => rmSync(directory, { recursive: true }));

function volumes(id?: string): TestPlugin<HealthyVolumes> {
  return new TestPlugin(
    join(directory, 'p.sock'),
    () => new HealthyVolumes(directory),
    (handlers) => implement(volumeKind, handlers),
    volumeFlaws().find(({ finds }) => finds === id),
  );
}

/** A volume plugin with the flaw that a case finds, and the test of that case. */
function testsOf(id: string, options: Partial<TestOptions> = {}): ConformanceTests & { one: ConformanceTest } {
  const start = volumes(id);
  const made = conformanceTests(start.socket, { kinds: ['VolumeDriver'], start, deadlineMs: 1_000, ...options });
  const one = made.tests.find((each) => each.id === id);
  if (!one) throw new Error(`there is no case ${id}`);
  return { ...made, one };
}

/** The results that a runner is told. */
class Context {
  readonly skipped: string[] = [];
  skip(reason = ''): void {
    this.skipped.push(reason);
  }
}

test('a test that fails says as much as the report', async () => {
  await using plugin = testsOf('volume/get-unknown');
  const failure = await plugin.one.run().then(
    () => undefined,
    (error: Error) => error.message.split('\n'),
  );
  expect(failure).toEqual([
    'Get of a volume that is not there finds none',
    expect.stringMatching(/^called {4}VolumeDriver\.Get \{"Name":"verify-/),
    expect.stringMatching(/^answered {2}200 \{"Volume":/),
    'expected  an error, or a Volume that is null',
    expect.stringMatching(/^why it matters {2}dockerd asks Get before Create/),
  ]);
});

test('advice is a skipped test with what was found, and fails where that is wanted', async () => {
  const context = new Context();
  {
    await using plugin = testsOf('volume/scope');
    await plugin.one.run(context);
  }
  expect(context.skipped).toEqual([expect.stringMatching(/^advice: .*expected Capabilities with a Scope/)]);
  await using strict = testsOf('volume/scope', { strict: true });
  await expect(strict.one.run(context)).rejects.toThrow('expected  Capabilities with a Scope');
});

test('a case that cannot be tried is skipped with its reason', async () => {
  await using running = volumes();
  await running.start();
  const options = { kinds: ['VolumeDriver'], only: ['volume/crash-keeps-volumes', 'volume/list'] };
  await using plugin = conformanceTests(running.socket, options);
  const context = new Context();
  for (const { run } of plugin.tests) await run(context);
  expect(plugin.tests.map(({ name }) => name)).toContain('List answers with volumes, each with a name [volume/list]');
  expect(context.skipped).toEqual(['it kills the plugin: say how to start it with --start']);
});

test('tests that are run at once take turns', async () => {
  const start = volumes();
  await using plugin = conformanceTests(start.socket, { kinds: ['VolumeDriver'], start, only: ['volume/c'] });
  const outcomes = await Promise.allSettled(plugin.tests.map(({ run }) => run(new Context())));
  expect(plugin.tests.length).toBeGreaterThan(5);
  expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([]);
});

test('a plugin that is not there, or is another one, fails each test in one sentence', async () => {
  await using away = conformanceTests(join(directory, 'none.sock'), { kinds: ['VolumeDriver'], only: ['volume/list'] });
  await expect(away.tests[0]?.run()).rejects.toThrow(/does not say what it implements: .*ENOENT/);
  await using other = testsOf('volume/list', { kinds: ['VolumeDriver', 'authz'] });
  await expect(other.one.run()).rejects.toThrow(/says that it implements VolumeDriver, not authz/);
});

test.each([[['Strange']], [[]]])('kinds that nobody can verify are refused: %j', (kinds) => {
  expect(() => conformanceTests('p', { kinds })).toThrow(/kinds is a list of what can be verified \(VolumeDriver, /);
});
