import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BlkioEntry, type CgroupStats, readStats } from '@cleat/linux/cgroup/stats';
import { isClass } from '@cleat/protocol/errors';
import { goTime, nowNanos, zeroTime } from '../../time.js';
import { cgroupOf } from '../cgroup.js';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';

const intervalMs = 1000;

/**
 * `GET /containers/{id}/stats` (moby `api/types/container/stats.go`). Fields of the other cgroup version are left out.
 */
export interface StatsResponse {
  name: string;
  id: string;
  os_type: 'linux';
  read: string;
  preread: string;
  num_procs: 0;
  pids_stats: { current?: number; limit?: number };
  blkio_stats: Record<string, { major: number; minor: number; op: string; value: number }[] | null>;
  storage_stats: Record<string, never>;
  cpu_stats: CpuStats;
  precpu_stats: CpuStats;
  memory_stats: Record<string, unknown>;
  networks?: Record<string, InterfaceStats>;
}

interface CpuStats {
  cpu_usage: { total_usage: number; percpu_usage?: number[]; usage_in_kernelmode: number; usage_in_usermode: number };
  system_cpu_usage?: number;
  online_cpus?: number;
  throttling_data: { periods: number; throttled_periods: number; throttled_time: number };
}

interface InterfaceStats {
  rx_bytes: number;
  rx_packets: number;
  rx_errors: number;
  rx_dropped: number;
  tx_bytes: number;
  tx_packets: number;
  tx_errors: number;
  tx_dropped: number;
}

const nothingUsed: CpuStats = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

/**
 * One object a second while it streams. Without `stream`, one: with a second's worth of `precpu_stats` before it, so
 * that a client can compute a percentage, unless `oneShot` forgoes them. A container that does not run gives zeros; a
 * stream goes on with them until it is removed.
 */
export async function* containerStats(
  context: Pick<Context, 'config' | 'registry'>,
  container: Container,
  options: { stream: boolean; oneShot: boolean; signal: AbortSignal },
): AsyncGenerator<StatsResponse> {
  let previous: StatsResponse | undefined;
  if (!options.stream && !options.oneShot && container.running) {
    previous = await sample(context, container, undefined);
    await pause(options.signal);
  }
  while (!options.signal.aborted && context.registry.find(container.id)) {
    previous = await sample(context, container, previous);
    yield previous;
    if (!options.stream) return;
    await pause(options.signal);
  }
}

/** Waits for the next sample; a client that leaves ends the wait, not with an error. */
async function pause(signal: AbortSignal): Promise<void> {
  await sleep(intervalMs, undefined, { signal }).catch(() => {});
}

async function sample(
  context: Pick<Context, 'config'>,
  container: Container,
  previous: StatsResponse | undefined,
): Promise<StatsResponse> {
  const { record } = container;
  const frame = {
    name: `/${record.name}`,
    id: record.id,
    os_type: 'linux',
    preread: previous?.read ?? zeroTime,
    num_procs: 0,
    storage_stats: {},
    precpu_stats: previous?.cpu_stats ?? nothingUsed,
  } as const;
  const idle: StatsResponse = {
    ...frame,
    read: zeroTime,
    pids_stats: {},
    blkio_stats: blkio(),
    cpu_stats: nothingUsed,
    memory_stats: {},
  };
  if (!container.running || record.state.pid === 0) return idle;
  try {
    const raw = readStats(cgroupOf(context.config, record));
    const networks = await interfaces(record.state.pid, record.hostConfig.NetworkMode);
    return {
      ...frame,
      read: goTime(nowNanos()),
      pids_stats: { current: raw.pids.current, ...(raw.pids.limit > 0 && { limit: raw.pids.limit }) },
      blkio_stats: blkio(raw),
      cpu_stats: cpu(raw),
      memory_stats: memory(raw),
      ...(networks && { networks }),
    };
  } catch (error) {
    // It ended between the look at its state and the look at its cgroup.
    if (isClass(error, 'NotFound')) return idle;
    throw error;
  }
}

function cpu(raw: CgroupStats): CpuStats {
  const { total, kernel, user, perCpu, throttling } = raw.cpu;
  return {
    cpu_usage: {
      total_usage: total,
      ...(raw.version === 1 && { percpu_usage: perCpu }),
      usage_in_kernelmode: kernel,
      usage_in_usermode: user,
    },
    system_cpu_usage: raw.systemCpu,
    online_cpus: raw.onlineCpus,
    throttling_data: {
      periods: throttling.periods,
      throttled_periods: throttling.throttledPeriods,
      throttled_time: throttling.throttledTime,
    },
  };
}

function memory({ version, memory: counters }: CgroupStats): Record<string, unknown> {
  return {
    usage: counters.usage,
    ...(version === 1 && { max_usage: counters.maxUsage }),
    stats: counters.stats,
    ...(counters.failcnt > 0 && { failcnt: counters.failcnt }),
    limit: counters.limit,
  };
}

/** For a running container under cgroup v1 Docker gives empty lists, otherwise null where there is nothing. */
function blkio(raw?: CgroupStats): StatsResponse['blkio_stats'] {
  const nothing = raw?.version === 1 ? [] : null;
  const entries = (list: BlkioEntry[] = []) =>
    list.length > 0 ? list.map(({ major, minor, op, value }) => ({ major, minor, op, value })) : nothing;
  return {
    io_service_bytes_recursive: entries(raw?.blkio.bytes),
    io_serviced_recursive: entries(raw?.blkio.operations),
    io_queue_recursive: nothing,
    io_service_time_recursive: nothing,
    io_wait_time_recursive: nothing,
    io_merged_recursive: nothing,
    io_time_recursive: nothing,
    sectors_recursive: nothing,
  };
}

/** Counters of the container's own interfaces, as its first process sees them; none where it uses the host's. */
async function interfaces(pid: number, mode = 'default'): Promise<Record<string, InterfaceStats> | undefined> {
  if (mode === 'host') return undefined;
  const text = await readFile(`/proc/${pid}/net/dev`, 'utf8').catch(() => '');
  return parseNetDev(text);
}

/** `/proc/net/dev` without the loopback device; undefined when nothing else is there. */
export function parseNetDev(text: string): Record<string, InterfaceStats> | undefined {
  const result: Record<string, InterfaceStats> = {};
  for (const line of text.split('\n').slice(2)) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const name = line.slice(0, colon).trim();
    const n = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    if (name === 'lo') continue;
    result[name] = {
      rx_bytes: n[0] ?? 0,
      rx_packets: n[1] ?? 0,
      rx_errors: n[2] ?? 0,
      rx_dropped: n[3] ?? 0,
      tx_bytes: n[8] ?? 0,
      tx_packets: n[9] ?? 0,
      tx_errors: n[10] ?? 0,
      tx_dropped: n[11] ?? 0,
    };
  }
  return Object.keys(result).length > 0 ? result : undefined;
}
