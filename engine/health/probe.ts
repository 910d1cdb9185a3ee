import type { ContainerConfig } from '@cleat/protocol/api/container';
import { longestTimerMs } from '../time.js';

/** Docker's defaults (moby `daemon/health.go`); the API's durations are nanoseconds. */
const defaults = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, startIntervalMs: 5_000, retries: 3 };

/** A health check, with its defaults filled in. */
export interface Probe {
  command: string[];
  intervalMs: number;
  timeoutMs: number;
  startPeriodMs: number;
  startIntervalMs: number;
  retries: number;
}

/** @returns undefined for a container without a health check */
export function probeOf({ Healthcheck: check, Shell }: ContainerConfig): Probe | undefined {
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
