import type { Health } from '@cleat/protocol/api/container';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, expect, test, vi } from 'vitest';
import type { WatchedRun } from '../containers/service.js';
import type { ExecRunner } from '../exec/service.js';
import { HealthMonitors } from './monitors.js';

afterEach(() => {
  vi.useRealTimers();
});

function patient(check: object, answers: (number | 'hang' | 'flood' | 'slow start')[], startedAt = '') {
  const events: string[] = [];
  /** As it was when each event came. */
  const seen: (Health | undefined)[] = [];
  const commands: string[][] = [];
  let health: Health | undefined;
  const run: WatchedRun = {
    id: 'x',
    config: { Healthcheck: { Test: ['CMD-SHELL', 'probe'], ...check } },
    startedAt,
    paused: () => false,
    health: () => health,
    saveHealth(now, action) {
      health = now;
      if (action === undefined) return;
      events.push(action);
      seen.push(structuredClone(health));
    },
  };
  const execs: ExecRunner = {
    async run(_, command, { signal, onStarted, onOutput }) {
      commands.push(command);
      const answer = answers.shift() ?? 0;
      if (answer === 'slow start') await new Promise((resolve) => setTimeout(resolve, 60));
      onStarted?.();
      onOutput(Buffer.from(`said ${answer}`));
      if (typeof answer === 'number') return { exitCode: answer };
      if (answer === 'slow start') return { exitCode: 0 };
      if (answer === 'flood') for (let n = 0; n < 100; n++) onOutput(Buffer.alloc(1000, 'x'));
      return await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  };
  return { monitors: new HealthMonitors({ log: silentLogger, execs }), run, events, seen, commands };
}

const ns = (ms: number): number => ms * 1e6;

test('starting, unhealthy after as many failures as it says, healthy again', async () => {
  const { monitors, run, events, seen, commands } = patient({ Interval: ns(10), Retries: 2 }, [1, 1, 0]);
  monitors.began(run);
  expect(run.health()?.Status).toBe('starting');
  await expect.poll(() => events).toEqual(['health_status: unhealthy', 'health_status: healthy']);
  monitors.ended(run.id);
  expect(monitors.counts.failed).toBe(2);
  expect(monitors.counts.total).toBeGreaterThanOrEqual(3);
  expect(commands[0]).toEqual(['/bin/sh', '-c', 'probe']);
  expect(seen[0]?.Log.map(({ ExitCode }) => ExitCode)).toEqual([1, 1]);
});

test('a failure within the start period does not count', async () => {
  const check = { Interval: ns(10), StartPeriod: ns(60_000), StartInterval: ns(10), Retries: 1 };
  const { monitors, run, events } = patient(check, [1, 1, 1, 0]);
  monitors.began(run);
  await expect.poll(() => events).toEqual(['health_status: healthy']);
  monitors.ended(run.id);
});

test('a probe that hangs is a failure, and says so', async () => {
  const { monitors, run, events } = patient({ Interval: ns(10), Timeout: ns(30), Retries: 1 }, ['hang', 'hang']);
  monitors.began(run);
  await expect.poll(() => events[0]).toBe('health_status: unhealthy');
  monitors.ended(run.id);
  expect(run.health()?.Log[0]).toMatchObject({
    ExitCode: -1,
    Output: 'Health check exceeded timeout (30ms): said hang',
  });
});

test('4096 bytes of its output are kept', async () => {
  const { monitors, run, events } = patient({ Interval: ns(10), Timeout: ns(30), Retries: 1 }, ['flood']);
  monitors.began(run);
  await expect.poll(() => events[0]).toBe('health_status: unhealthy');
  monitors.ended(run.id);
  const said = run.health()?.Log[0]?.Output ?? '';
  expect(said).toMatch(/^Health check exceeded timeout \(30ms\): said floodx+\.\.\.$/);
  expect(said.length).toBe('Health check exceeded timeout (30ms): '.length + 4096 + 3);
});

test('the runtime’s time to start it is not the probe’s', async () => {
  const { monitors, run, events } = patient({ Interval: ns(10), Timeout: ns(40) }, ['slow start']);
  monitors.began(run);
  await expect.poll(() => events[0]).toBe('health_status: healthy');
  monitors.ended(run.id);
});

test('an engine that starts again counts the start period from the container’s start', async () => {
  const check = { Interval: ns(10), StartPeriod: ns(60_000), StartInterval: ns(10), Retries: 1 };
  const { monitors, run, events } = patient(check, [1], new Date(Date.now() - 120_000).toISOString());
  monitors.began(run);
  await expect.poll(() => events[0]).toBe('health_status: unhealthy');
  monitors.ended(run.id);
});

test('a check without a command fails, and says so', async () => {
  const { monitors, run, events } = patient({ Test: ['CMD'], Interval: ns(10), Retries: 1 }, []);
  monitors.began(run);
  await expect.poll(() => events[0]).toBe('health_status: unhealthy');
  monitors.ended(run.id);
  expect(run.health()?.Log[0]?.Output).toBe('healthcheck for container x has no command');
});

test('NONE switches it off', () => {
  const { monitors, run } = patient({ Test: ['NONE'] }, []);
  monitors.began(run);
  expect(run.health()).toBeUndefined();
});
