import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { notFound } from '@cleat/protocol/errors';
import { type CgroupHierarchy, hostHierarchy, readCgroupFile } from './hierarchy.js';

/** One line of block I/O: bytes or operations of one kind on one device. */
export interface BlkioEntry {
  major: number;
  minor: number;
  /** Version 1: `Read`, `Write`, `Sync`, `Async`, `Discard`, `Total`; version 2: `read`, `write`. */
  op: string;
  value: number;
}

/** The counts of the kernel for `docker stats`. Times are nanoseconds, sizes bytes. */
export interface CgroupStats {
  version: 1 | 2;
  cpu: {
    total: number;
    kernel: number;
    user: number;
    /** Version 1 only. */
    perCpu: number[];
    throttling: { periods: number; throttledPeriods: number; throttledTime: number };
  };
  /** CPU time that the whole host used since boot. */
  systemCpu: number;
  onlineCpus: number;
  memory: {
    usage: number;
    /** Version 1 only; else 0. */
    maxUsage: number;
    /** The host's memory when there is no lower limit. */
    limit: number;
    failcnt: number;
    /** The lines of memory.stat. */
    stats: Record<string, number>;
  };
  /** `limit` 0 means none. */
  pids: { current: number; limit: number };
  blkio: { bytes: BlkioEntry[]; operations: BlkioEntry[] };
}

/** USER_HZ, which Linux fixed for user space. */
const nanosecondsPerTick = 1e9 / 100;

/**
 * Reads a cgroup's counters: some ten small files.
 * @param path the cgroup, as in `linux.cgroupsPath`
 * @throws CleatError NotFound when the cgroup is gone
 */
export function readStats(path: string, hierarchy: CgroupHierarchy = hostHierarchy()): CgroupStats {
  const stats =
    hierarchy.version === 2 ? unifiedStats(`${hierarchy.unified}${path}`) : controllerStats(path, hierarchy);
  return { ...stats, systemCpu: systemCpuTime(readFileSync('/proc/stat', 'utf8')), onlineCpus: cpus().length };
}

type ReadCounters = Omit<CgroupStats, 'systemCpu' | 'onlineCpus'>;

function controllerStats(path: string, hierarchy: CgroupHierarchy): ReadCounters {
  const read = (controller: string, file: string) => {
    const mount = hierarchy.controllers.get(controller);
    return mount === undefined ? undefined : readCgroupFile(`${mount}${path}/${file}`);
  };
  const total = read('cpuacct', 'cpuacct.usage');
  const usage = read('memory', 'memory.usage_in_bytes');
  if (total === undefined && usage === undefined) throw notFound(`there is no cgroup ${path}`);
  const times = table(read('cpuacct', 'cpuacct.stat'));
  const throttling = table(read('cpu', 'cpu.stat'));
  return {
    version: 1,
    cpu: {
      total: Number(total ?? 0),
      kernel: (times.system ?? 0) * nanosecondsPerTick,
      user: (times.user ?? 0) * nanosecondsPerTick,
      perCpu: (read('cpuacct', 'cpuacct.usage_percpu') ?? '').split(' ').filter(Boolean).map(Number),
      throttling: {
        periods: throttling.nr_periods ?? 0,
        throttledPeriods: throttling.nr_throttled ?? 0,
        throttledTime: throttling.throttled_time ?? 0,
      },
    },
    memory: {
      usage: Number(usage ?? 0),
      maxUsage: Number(read('memory', 'memory.max_usage_in_bytes') ?? 0),
      limit: limitOf(read('memory', 'memory.limit_in_bytes')),
      failcnt: Number(read('memory', 'memory.failcnt') ?? 0),
      stats: table(read('memory', 'memory.stat')),
    },
    pids: pidsOf(read('pids', 'pids.current'), read('pids', 'pids.max')),
    blkio: {
      bytes: blkioLines(
        read('blkio', 'blkio.throttle.io_service_bytes_recursive') ?? read('blkio', 'blkio.io_service_bytes_recursive'),
      ),
      operations: blkioLines(
        read('blkio', 'blkio.throttle.io_serviced_recursive') ?? read('blkio', 'blkio.io_serviced_recursive'),
      ),
    },
  };
}

function unifiedStats(directory: string): ReadCounters {
  const read = (file: string) => readCgroupFile(`${directory}/${file}`);
  const cpuText = read('cpu.stat');
  if (cpuText === undefined) throw notFound(`there is no cgroup ${directory}`);
  const cpu = table(cpuText);
  const events = table(read('memory.events'));
  const io = ioLines(read('io.stat'));
  return {
    version: 2,
    cpu: {
      total: (cpu.usage_usec ?? 0) * 1000,
      kernel: (cpu.system_usec ?? 0) * 1000,
      user: (cpu.user_usec ?? 0) * 1000,
      perCpu: [],
      throttling: {
        periods: cpu.nr_periods ?? 0,
        throttledPeriods: cpu.nr_throttled ?? 0,
        throttledTime: (cpu.throttled_usec ?? 0) * 1000,
      },
    },
    memory: {
      usage: Number(read('memory.current') ?? 0),
      maxUsage: 0,
      limit: limitOf(read('memory.max')),
      failcnt: events.oom ?? 0,
      stats: table(read('memory.stat')),
    },
    pids: pidsOf(read('pids.current'), read('pids.max')),
    blkio: {
      bytes: pick(io, { rbytes: 'read', wbytes: 'write' }),
      operations: pick(io, { rios: 'read', wios: 'write' }),
    },
  };
}

/** How often the kernel killed in this cgroup for want of memory. */
export function oomKills(path: string, hierarchy: CgroupHierarchy = hostHierarchy()): number {
  const memory = hierarchy.controllers.get('memory');
  const file =
    hierarchy.version === 2
      ? `${hierarchy.unified}${path}/memory.events`
      : memory && `${memory}${path}/memory.oom_control`;
  return (file ? table(readCgroupFile(file)).oom_kill : undefined) ?? 0;
}

/** CPU time of the host in nanoseconds: user to softirq of /proc/stat's first line, as moby counts it. */
export function systemCpuTime(procStat: string): number {
  const fields = (procStat.split('\n', 1)[0] ?? '').split(/\s+/).slice(1, 8).map(Number);
  return fields.reduce((sum, ticks) => sum + ticks, 0) * nanosecondsPerTick;
}

/** Lines of `name number`. */
function table(text: string | undefined): Record<string, number> {
  const result: Record<string, number> = {};
  for (const line of (text ?? '').split('\n')) {
    const [name, value] = line.split(' ');
    if (name && value !== undefined) result[name] = Number(value);
  }
  return result;
}

/** `max`, or version 1's huge number, means that the host is the limit. */
function limitOf(text: string | undefined): number {
  const limit = Number(text ?? 'max');
  return Number.isNaN(limit) ? totalmem() : Math.min(limit, totalmem());
}

function pidsOf(current: string | undefined, max: string | undefined): CgroupStats['pids'] {
  return { current: Number(current ?? 0), limit: max === undefined || max === 'max' ? 0 : Number(max) };
}

/** Version 1: lines of `8:0 Read 123`, and a last `Total 123` that belongs to no device. */
function blkioLines(text: string | undefined): BlkioEntry[] {
  return (text ?? '').split('\n').flatMap((line) => {
    const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line);
    return match
      ? [{ major: Number(match[1]), minor: Number(match[2]), op: match[3] ?? '', value: Number(match[4]) }]
      : [];
  });
}

interface IoLine {
  major: number;
  minor: number;
  values: Record<string, number>;
}

/** Version 2: lines of `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …`. */
function ioLines(text: string | undefined): IoLine[] {
  return (text ?? '').split('\n').flatMap((line) => {
    const [device, ...pairs] = line.split(' ');
    const match = /^(\d+):(\d+)$/.exec(device ?? '');
    if (!match) return [];
    const values = Object.fromEntries(pairs.map((pair) => [pair.split('=')[0], Number(pair.split('=')[1])]));
    return [{ major: Number(match[1]), minor: Number(match[2]), values }];
  });
}

function pick(lines: IoLine[], operations: Record<string, string>): BlkioEntry[] {
  return lines.flatMap(({ major, minor, values }) =>
    Object.entries(operations).map(([key, op]) => ({ major, minor, op, value: values[key] ?? 0 })),
  );
}
