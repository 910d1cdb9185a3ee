import { afterEach, expect, test, vi } from 'vitest';
import type { Container } from '../container.js';
import type { Room } from '../room.js';
import { startHealthChecks, stopHealthChecks } from './health.js';

afterEach(() => {
  vi.useRealTimers();
});

function patient(check: object, answers: (number | 'hang')[]) {
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
      async run(_: string, command: string[], { signal }: { signal: AbortSignal }) {
        commands.push(command);
        const answer = answers.shift() ?? 0;
        if (answer !== 'hang') return { exitCode: answer, output: `said ${answer}` };
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
    Output: 'Health check exceeded timeout (0.03s)',
  });
});

test('NONE switches it off', () => {
  const { container, room } = patient({ Test: ['NONE'] }, []);
  startHealthChecks(room, container);
  expect(container.record.state.health).toBeUndefined();
});
