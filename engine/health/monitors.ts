import { setTimeout as sleep } from 'node:timers/promises';
import type { Health } from '@cleat/protocol/api/container';
import { messageOf } from '@cleat/protocol/errors';
import { goDuration } from '@cleat/protocol/go-duration';
import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import type { RunWatcher, WatchedRun } from '../containers/service.js';
import type { ExecRunner } from '../exec/service.js';
import { goTime, nowNanos } from '../time.js';
import { type Probe, probeOf } from './probe.js';
import { ProbeOutput } from './probe-output.js';

const keptResults = 5;
/** How long the runtime may take to start a probe; that is not the probe's own time. */
const startMs = 30_000;

type Result = Health['Log'][number];

/** Probes the containers that run and have a health check. */
export class HealthMonitors implements RunWatcher {
  readonly counts = { total: 0, failed: 0 };
  readonly #log: Logger;
  readonly #execs: ExecRunner;
  /** By the container's ID. */
  readonly #monitors = new Map<string, AbortController>();

  constructor({ log, execs }: { log: Logger; execs: ExecRunner }) {
    this.#log = log;
    this.#execs = execs;
  }

  /** Its last results are kept, and judged anew. */
  began(run: WatchedRun): void {
    this.ended(run.id);
    const probe = probeOf(run.config);
    if (!probe) {
      if (run.health()) run.saveHealth(undefined);
      return;
    }
    const monitor = new AbortController();
    this.#monitors.set(run.id, monitor);
    run.saveHealth({ Status: 'starting', FailingStreak: 0, Log: run.health()?.Log ?? [] });
    this.#watch(run, probe, monitor.signal).catch((error: unknown) => {
      this.#log.error('health checks of a container ended', { container: run.id, error: messageOf(error) });
    });
  }

  /** Its last known health stays on record. */
  ended(id: string): void {
    this.#monitors.get(id)?.abort();
    this.#monitors.delete(id);
  }

  async #watch(run: WatchedRun, probe: Probe, signal: AbortSignal): Promise<void> {
    // An engine that starts again goes on where the container is.
    const began = Date.parse(run.startedAt) || Date.now();
    const starting = (): boolean => run.health()?.Status === 'starting' && Date.now() - began < probe.startPeriodMs;
    while (!signal.aborted) {
      // An aborted wait means that the run is over; the loop's condition sees it.
      await sleep(starting() ? probe.startIntervalMs : probe.intervalMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      // Frozen processes answer nothing; that says nothing about their health.
      if (run.paused()) continue;
      const inStartPeriod = starting();
      const result = await this.#ask(run, probe, signal);
      if (signal.aborted) return;
      this.counts.total++;
      if (result.ExitCode !== 0) this.counts.failed++;
      judge(run, probe, result, inStartPeriod);
    }
  }

  async #ask(run: WatchedRun, probe: Probe, stopped: AbortSignal): Promise<Result> {
    const Start = goTime(nowNanos());
    const finish = (ExitCode: number, Output: string): Result => ({ Start, End: goTime(nowNanos()), ExitCode, Output });
    if (probe.command.length === 0) return finish(-1, `healthcheck for container ${run.id} has no command`);
    const output = new ProbeOutput();
    const ended = new AbortController();
    let late = `timed out starting health check for container ${run.id}`;
    let timer = setTimeout(() => ended.abort(), startMs);
    try {
      const { exitCode } = await this.#execs.run(run.id, probe.command, {
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
}

function judge(run: WatchedRun, probe: Probe, result: Result, inStartPeriod: boolean): void {
  const before = run.health();
  if (!before) return;
  const healthy = result.ExitCode === 0;
  const streak = healthy ? 0 : inStartPeriod ? before.FailingStreak : before.FailingStreak + 1;
  const unhealthy = !healthy && !inStartPeriod && streak >= probe.retries;
  const Status = healthy ? 'healthy' : unhealthy ? 'unhealthy' : before.Status;
  const health = { Status, FailingStreak: streak, Log: [...before.Log, result].slice(-keptResults) };
  run.saveHealth(health, Status === before.Status ? undefined : `health_status: ${Status}`);
}
