import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { askEngine, ran } from '../support/scripted-builder.js';
import {
  builder,
  busybox,
  classic,
  context,
  contexts,
  docker,
  dockerfile,
  engine,
  ok,
  post,
  step,
  tarOf,
} from './bench.js';

/** Images and containers that a build makes on its way, and their end. */
export function recordTests(): void {
  /** A build of one RUN and a label; the image of the first is an intermediate one. */
  const twoSteps = () => {
    const made = { record: '', container: '' };
    builder.script = async function* (order) {
      const first = await ran(order, 'busybox', ['sh', '-c', 'echo 1 >/one'], { Cmd: ['cat', '/one'] });
      Object.assign(made, { record: first.image, container: first.container });
      builder.known.add(first.image);
      const second = await ran(order, first.image, ['sh', '-c', 'echo 2 >/two'], {
        Cmd: ['cat', '/two'],
        Labels: { a: 'b' },
      });
      yield { Result: { Image: second.image } };
    };
    return made;
  };

  test('are nobody else’s, until one is the result', async () => {
    const made = twoSteps();
    const before = await ok('images', '-aq', '--no-trunc');
    expect(await docker('build', '-t', 'two', context)).toMatchObject({ code: 0 });
    expect(await ok('run', '--rm', '--network=none', 'two')).toBe('2');
    const id = await ok('images', '-q', '--no-trunc', 'two');
    expect((await ok('images', '-aq', '--no-trunc')).split('\n').sort()).toEqual([...before.split('\n'), id].sort());
    expect(await ok('inspect', '-f', '{{.Parent}} {{.Config.Labels}} {{.Config.Cmd}}', 'two')).toBe(
      'map[a:b] [cat /two]',
    );
    expect((await ok('history', '--format', '{{.CreatedBy}}', 'two')).split('\n').slice(0, 2)).toEqual([
      'RUN sh -c echo 2 >/two',
      'RUN sh -c echo 1 >/one',
    ]);
    // As with the classic builder, a step can be looked into.
    expect(await ok('run', '--rm', '--network=none', made.record.slice(7, 19))).toBe('1');
    await ok('image', 'prune', '-f');
    expect(await ok('system', 'df', '--format', '{{.Type}} {{.TotalCount}}')).toContain('Build Cache 1');
    // Its containers have gone with the build.
    await expect.poll(() => ok('ps', '-aq')).toBe('');
    await ok('rmi', 'two');
    expect(await docker('builder', 'prune', '-af')).toMatchObject({ code: 0, stdout: expect.stringContaining('of-') });
    await expect.poll(() => ok('system', 'df', '--format', '{{.Type}} {{.TotalCount}}')).toContain('Build Cache 0');
  });

  test('that no builder knows are removed, and so are containers that it forgot', async () => {
    const made = twoSteps();
    const { script } = builder;
    builder.script = async function* (order, signal) {
      yield step('1', 1, 'RUN');
      for await (const line of script(order, signal)) if (!line.Result) yield line;
      builder.known.clear();
      yield { Error: { Message: 'it failed' } };
    };
    expect(await docker('build', context)).toMatchObject({ code: 1 });
    await expect.poll(() => ok('ps', '-aq')).toBe('');
    await expect.poll(async () => (await docker('run', '--rm', made.record)).code).toBe(125);
    expect(contexts()).toEqual([]);
  });

  test('are removed after the next build of a builder that did not say which it knows', async () => {
    const made = twoSteps();
    const { script } = builder;
    builder.script = async function* (order, signal) {
      for await (const line of script(order, signal)) if (!line.Result) yield line;
      builder.known.clear();
      builder.isSecretive = true;
      yield { Error: { Message: 'it failed' } };
    };
    expect(await docker('build', context)).toMatchObject({ code: 1 });
    await expect.poll(() => ok('ps', '-aq')).toBe('');
    await expect.poll(() => engine.log()).toContain('does not say what it keeps: not now');
    expect(await ok('run', '--rm', '--network=none', made.record)).toBe('1');
    builder.isSecretive = false;
    builder.script = async function* () {
      yield { Result: { Image: busybox } };
    };
    expect(await docker('build', context)).toMatchObject({ code: 0 });
    // Not by running it: what a container uses stays.
    await expect.poll(() => ok('system', 'df', '--format', '{{.Type}} {{.TotalCount}}')).toContain('Build Cache 0');
    expect(await docker('run', '--rm', made.record)).toMatchObject({ code: 125 });
  });

  test('a build that is cancelled, or whose engine was killed, leaves nothing', async () => {
    let ended = 0;
    let container = '';
    builder.script = async function* (order, signal) {
      yield step('1', 1, 'RUN sleep');
      const made = await askEngine<{ Id: string }>(order, 'POST', '/containers/create', {
        Image: 'busybox',
        Cmd: ['sleep', '1000'],
      });
      container = made.value.Id;
      await askEngine(order, 'POST', `/containers/${container}/start`);
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
        if (signal.aborted) resolve();
      });
      ended++;
    };
    const building = (): { stop: AbortController; over: Promise<unknown> } => {
      container = '';
      const stop = new AbortController();
      const args = ['-H', `unix://${engine.socket}`, 'build', context];
      const over = promisify(execFile)('docker', args, {
        env: { ...process.env, ...classic },
        signal: stop.signal,
        killSignal: 'SIGINT',
      });
      return { stop, over: over.catch(() => {}) };
    };
    const first = building();
    await expect.poll(() => ok('ps', '-q', '--no-trunc')).toMatch(/^[0-9a-f]{64}$/);
    first.stop.abort();
    await first.over;
    await expect.poll(() => ended).toBe(1);
    await expect.poll(() => ok('ps', '-aq')).toBe('');
    await expect.poll(contexts).toEqual([]);
    const second = building();
    await expect.poll(() => ok('ps', '-q', '--no-trunc')).toMatch(/^[0-9a-f]{64}$/);
    await engine.kill('SIGKILL');
    await second.over;
    await engine.restart();
    expect(await ok('ps', '-aq')).toBe('');
    expect(contexts()).toEqual([]);
    builder.script = async function* () {
      yield { Result: { Image: busybox } };
    };
    expect(await docker('build', context)).toMatchObject({ code: 0 });
  });

  test('POST /build/cancel ends the build of that ID', async () => {
    builder.script = async function* (_, signal) {
      yield step('1', 1, 'RUN sleep');
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    };
    const answer = post({ query: 'buildid=mine', body: await tarOf(dockerfile) });
    await expect.poll(() => builder.orders.length).toBe(1);
    expect(await engine.api('POST', '/build/cancel?id=mine')).toMatchObject({ status: 204 });
    expect((await answer).text).toContain('build cancelled');
    expect(await engine.api('POST', '/build/cancel')).toMatchObject({ status: 400 });
  });

  test('events are those of a stock engine', async () => {
    const since = String(Math.floor(Date.now() / 1000));
    twoSteps();
    await docker('build', '-t', 'told', context);
    await ok('builder', 'prune', '-af');
    const told = await ok(
      'events',
      '--since',
      since,
      '--until',
      (Date.now() / 1000).toFixed(3),
      '--format',
      '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}',
    );
    const lines = told.split('\n').filter((line) => /^(image|builder)|commit/.test(line));
    const id = await ok('images', '-q', '--no-trunc', 'told');
    expect(lines).toEqual([`image create ${id}`, 'image tag told:latest', 'builder prune <no value>']);
    await ok('rmi', 'told');
  });

  test('prune hands on what it is asked, and refuses a filter that nobody knows', async () => {
    expect(await docker('builder', 'prune', '-f', '--filter', 'until=24h', '--keep-storage', '1GB')).toMatchObject({
      code: 0,
    });
    expect(builder.prunes).toEqual([
      expect.objectContaining({ All: false, Filters: { until: ['24h'] }, ReservedSpace: 1024 ** 3 }),
    ]);
    // `docker system prune` sends the filters of all that it prunes; cache has no labels.
    await ok('builder', 'prune', '-f', '--filter', 'label=a');
    expect(builder.prunes).toHaveLength(1);
    await ok('builder', 'prune', '-f', '--filter', 'label!=a');
    expect(builder.prunes).toEqual([expect.anything(), expect.objectContaining({ Filters: {} })]);
    const { code, stderr } = await docker('builder', 'prune', '-f', '--filter', 'colour=red');
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("invalid filter 'colour'") });
  });
}
