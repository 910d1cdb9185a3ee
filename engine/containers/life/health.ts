import { setTimeout as sleep } from 'node:timers/promises';
import type { Health } from '@cleat/protocol/api/container';
import { messageOf } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { goDuration, goTime, longestTimerMs, nowNanos } from '../../time.js';
import type { Container } from '../container.js';
import type { Room } from '../room.js';
import { ProbeOutput } from './probe-output.js';

/** Docker's defaults (moby `daemon/health.go`); the API's durations are nanoseconds. */
const defaults = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, startIntervalMs: 5_000, retries: 3 };
const keptResults = 5;
/** How long the runtime may take to start a probe; that is not the probe's own time. */
const startMs = 30_000;

interface Probe {
  command: string[];
  intervalMs: number;
  timeoutMs: number;
  startPeriodMs: number;
  startIntervalMs: number;
  retries: number;
}

/** Containers whose health is being watched by this engine. */
const monitors = new WeakMap<Container, AbortController>();

/** Begins to probe a container that runs and has a HEALTHCHECK. Its last results are kept, and judged anew. */
export function startHealthChecks(room: Room, container: Container): void {
  stopHealthChecks(container);
  const probe = probeOf(container);
  if (!probe) {
    delete container.record.state.health;
    return;
  }
  const monitor = new AbortController();
  monitors.set(container, monitor);
  container.record.state.health = {
    Status: 'starting',
    FailingStreak: 0,
    Log: container.record.state.health?.Log ?? [],
  };
  container.note();
  watch(room, container, probe, monitor.signal).catch((error: unknown) => {
    room.log.error('health checks of a container ended', { container: container.id, error: messageOf(error) });
  });
}

/** The container ended, or is about to; its last known health stays in the record. */
export function stopHealthChecks(container: Container): void {
  monitors.get(container)?.abort();
  monitors.delete(container);
}

function probeOf(container: Container): Probe | undefined {
  const { Healthcheck: check, Shell } = container.record.config;
  const [kind, ...rest] = check?.Test ?? [];
  const command =
    kind === 'CMD'
      ? rest
      : kind === 'CMD-SHELL'
        ? [...(Shell?.length ? Shell : ['/bin/sh', '-c']), ...rest]
        : undefined;
  if (!check || !command) return undefined;
  const ms = (nanos: number | undefined, otherwise: number): number =>
    nanos ? Math.min(nanos / 1e6, longestTimerMs) : otherwise;
  return {
    command,
    intervalMs: ms(check.Interval, defaults.intervalMs),
    timeoutMs: ms(check.Timeout, defaults.timeoutMs),
    startPeriodMs: ms(check.StartPeriod, defaults.startPeriodMs),
    startIntervalMs: ms(check.StartInterval, defaults.startIntervalMs),
    retries: check.Retries || defaults.retries,
  };
}

async function watch(room: Room, container: Container, probe: Probe, signal: AbortSignal): Promise<void> {
  // An engine that starts again goes on where the container is.
  const began = Date.parse(container.record.state.startedAt) || Date.now();
  const starting = (): boolean =>
    container.record.state.health?.Status === 'starting' && Date.now() - began < probe.startPeriodMs;
  while (!signal.aborted) {
    // An aborted wait means that nobody is interested any more; the loop's condition sees it.
    await sleep(starting() ? probe.startIntervalMs : probe.intervalMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    // Frozen processes answer nothing; that says nothing about their health.
    if (container.record.state.status !== 'running') continue;
    const inStartPeriod = starting();
    const result = await ask(room, container, probe, signal);
    if (signal.aborted) return;
    room.healthChecks.total++;
    if (result.ExitCode !== 0) room.healthChecks.failed++;
    judge(room, container, probe, result, inStartPeriod);
  }
}

type Result = Health['Log'][number];

async function ask(room: Room, container: Container, probe: Probe, stopped: AbortSignal): Promise<Result> {
  const Start = goTime(nowNanos());
  const finish = (ExitCode: number, Output: string): Result => ({ Start, End: goTime(nowNanos()), ExitCode, Output });
  if (!room.execs) return finish(-1, 'the engine cannot execute commands in containers yet');
  if (probe.command.length === 0) return finish(-1, `healthcheck for container ${container.id} has no command`);
  const output = new ProbeOutput();
  const ended = new AbortController();
  let late = `timed out starting health check for container ${container.id}`;
  let timer = setTimeout(() => ended.abort(), startMs);
  try {
    const { exitCode } = await room.execs.run(container.id, probe.command, {
      signal: AbortSignal.any([ended.signal, stopped]),
      onStarted() {
        clearTimeout(timer);
        late = '';
        timer = setTimeout(() => ended.abort(), probe.timeoutMs);
      },
      onOutput: (data) => output.push(data),
    });
    return finish(exitCode, output.toString());
  } catch (error) {
    if (!ended.signal.aborted) return finish(-1, messageOf(error));
    const said = output.toString();
    const exceeded = `Health check exceeded timeout (${goDuration(probe.timeoutMs * 1e6)})`;
    return finish(-1, late || (said === '' ? exceeded : `${exceeded}: ${said}`));
  } finally {
    clearTimeout(timer);
  }
}

function judge(room: Room, container: Container, probe: Probe, result: Result, inStartPeriod: boolean): void {
  const health = container.record.state.health;
  if (!health) return;
  const before = health.Status;
  health.Log = [...health.Log, result].slice(-keptResults);
  if (result.ExitCode === 0) {
    health.FailingStreak = 0;
    health.Status = 'healthy';
  } else if (!inStartPeriod) {
    health.FailingStreak++;
    if (health.FailingStreak >= probe.retries) health.Status = 'unhealthy';
  }
  container.note();
  if (health.Status !== before) room.emit(container, `health_status: ${health.Status}`);
}
