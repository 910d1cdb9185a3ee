import { afterEach, expect, test, vi } from 'vitest';
import type { Container } from '../container.js';
import type { Room } from '../room.js';
import type { RunOptions } from '../service.js';
import { startHealthChecks, stopHealthChecks } from './health.js';

afterEach(() => {
  vi.useRealTimers();
});

function patient(check: object, answers: (number | 'hang' | 'flood' | 'slow start')[]) {
  const events: string[] = [];
  const container = {
    id: 'x',
    record: { config: { Healthcheck: { Test: ['CMD-SHELL', 'probe'], ...check } }, state: { status: 'running' } },
    note() {},
  } as unknown as Container;
  const commands: string[][] = [];
  const room = {
    healthChecks: { total: 0, failed: 0 },
    log: { error: (message: string, fields: unknown) => events.push(`${message} ${JSON.stringify(fields)}`) },
    emit: (_: Container, action: string) => events.push(action),
    execs: {
      async run(_: string, command: string[], { signal, onStarted, onOutput }: RunOptions) {
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
    },
  } as unknown as Room;
  return { container, room, events, commands };
}

const ns = (ms: number): number => ms * 1e6;

test('starting, unhealthy after as many failures as it says, healthy again', async () => {
  const { container, room, events, commands } = patient({ Interval: ns(10), Retries: 2 }, [1, 1, 0]);
  startHealthChecks(room, container);
  expect(container.record.state.health?.Status).toBe('starting');
  await expect.poll(() => events).toEqual(['health_status: unhealthy', 'health_status: healthy']);
  stopHealthChecks(container);
  expect(room.healthChecks.failed).toBe(2);
  expect(room.healthChecks.total).toBeGreaterThanOrEqual(3);
  expect(commands[0]).toEqual(['/bin/sh', '-c', 'probe']);
  expect(container.record.state.health?.Log.slice(0, 2).map(({ ExitCode }) => ExitCode)).toEqual([1, 1]);
});

test('a failure within the start period does not count', async () => {
  const check = { Interval: ns(10), StartPeriod: ns(60_000), StartInterval: ns(10), Retries: 1 };
  const { container, room, events } = patient(check, [1, 1, 1, 0]);
  startHealthChecks(room, container);
  await expect.poll(() => events).toEqual(['health_status: healthy']);
  stopHealthChecks(container);
});

test('a probe that hangs is a failure, and says so', async () => {
  const { container, room, events } = patient({ Interval: ns(10), Timeout: ns(30), Retries: 1 }, ['hang', 'hang']);
  startHealthChecks(room, container);
  await expect.poll(() => events[0]).toBe('health_status: unhealthy');
  stopHealthChecks(container);
  expect(container.record.state.health?.Log[0]).toMatchObject({
    ExitCode: -1,
    Output: 'Health check exceeded timeout (30ms): said hang',
  });
});

test('of what it says 4096 bytes are kept', async () => {
  const { container, room, events } = patient({ Interval: ns(10), Timeout: ns(30), Retries: 1 }, ['flood']);
  startHealthChecks(room, container);
  await expect.poll(() => events[0]).toBe('health_status: unhealthy');
  stopHealthChecks(container);
  const said = container.record.state.health?.Log[0]?.Output ?? '';
  expect(said).toMatch(/^Health check exceeded timeout \(30ms\): said floodx+\.\.\.$/);
  expect(said.length).toBe('Health check exceeded timeout (30ms): '.length + 4096 + 3);
});

test('what the runtime takes to start it is not the probe’s time', async () => {
  const { container, room, events } = patient({ Interval: ns(10), Timeout: ns(40) }, ['slow start']);
  startHealthChecks(room, container);
  await expect.poll(() => events[0]).toBe('health_status: healthy');
  stopHealthChecks(container);
});

test('an engine that starts again counts the start period from the container’s start', async () => {
  const check = { Interval: ns(10), StartPeriod: ns(60_000), StartInterval: ns(10), Retries: 1 };
  const { container, room, events } = patient(check, [1]);
  container.record.state.startedAt = new Date(Date.now() - 120_000).toISOString();
  startHealthChecks(room, container);
  await expect.poll(() => events[0]).toBe('health_status: unhealthy');
  stopHealthChecks(container);
});

test('a check without a command fails, and says so', async () => {
  const { container, room, events } = patient({ Test: ['CMD'], Interval: ns(10), Retries: 1 }, []);
  startHealthChecks(room, container);
  await expect.poll(() => events[0]).toBe('health_status: unhealthy');
  stopHealthChecks(container);
  expect(container.record.state.health?.Log[0]?.Output).toBe('healthcheck for container x has no command');
});

test('NONE switches it off', () => {
  const { container, room } = patient({ Test: ['NONE'] }, []);
  startHealthChecks(room, container);
  expect(container.record.state.health).toBeUndefined();
});
