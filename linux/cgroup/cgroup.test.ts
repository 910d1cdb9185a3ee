import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cgroupDirectories, cgroupHierarchy, cgroupPath, hostHierarchy } from './hierarchy.js';
import { cgroupInfo } from './info.js';
import { processesIn, removeCgroup } from './lifecycle.js';
import { oomKills, readStats, systemCpuTime } from './stats.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-cgroup-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function fixture(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(directory, name, '..'), { recursive: true });
    writeFileSync(join(directory, name), `${text}\n`);
  }
}

test('version 1, hybrid and version 2 are told apart', () => {
  const v1 =
    '31 23 0:29 / /c/cpu rw - cgroup cgroup rw,cpu,cpuacct\n32 23 0:30 / /c/systemd rw - cgroup cgroup rw,name=systemd';
  const unified = '40 23 0:37 / /c/unified rw - cgroup2 cgroup2 rw';
  expect(cgroupHierarchy(v1)).toMatchObject({ version: 1, hybrid: false });
  expect(cgroupHierarchy(`${v1}\n${unified}`)).toMatchObject({ version: 1, hybrid: true, unified: '/c/unified' });
  expect([...cgroupHierarchy(v1).controllers]).toEqual([
    ['cpu', '/c/cpu'],
    ['cpuacct', '/c/cpu'],
  ]);
  expect(cgroupHierarchy(unified)).toMatchObject({ version: 2, hybrid: false, unified: '/c/unified' });
  expect(cgroupPath('/docker/', 'id')).toBe('/docker/id');
  expect(cgroupPath('../a', 'id')).toBe('/a/id');
});

test('counters of version 1', () => {
  fixture({
    'memory/x/id/memory.usage_in_bytes': '1000',
    'memory/x/id/memory.max_usage_in_bytes': '2000',
    'memory/x/id/memory.limit_in_bytes': '9223372036854771712',
    'memory/x/id/memory.failcnt': '3',
    'memory/x/id/memory.stat': 'cache 10\ntotal_inactive_file 20',
    'memory/x/id/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 4',
    'cpu/x/id/cpuacct.usage': '5000000000',
    'cpu/x/id/cpuacct.usage_percpu': '2000000000 3000000000 ',
    'cpu/x/id/cpuacct.stat': 'user 100\nsystem 50',
    'cpu/x/id/cpu.stat': 'nr_periods 1\nnr_throttled 2\nthrottled_time 3',
    'pids/x/id/pids.current': '7',
    'pids/x/id/pids.max': 'max',
    'blkio/x/id/blkio.throttle.io_service_bytes_recursive': '8:0 Read 11\n8:0 Write 12\n8:0 Total 23\nTotal 23',
  });
  const controllers = new Map(
    Object.entries({ memory: 'memory', cpu: 'cpu', cpuacct: 'cpu', pids: 'pids', blkio: 'blkio' }).map(
      ([name, path]) => [name, join(directory, path)],
    ),
  );
  const hierarchy = { version: 1 as const, hybrid: false, controllers, unified: undefined };
  expect(readStats('/x/id', hierarchy)).toMatchObject({
    cpu: {
      total: 5e9,
      user: 1e9,
      kernel: 5e8,
      perCpu: [2e9, 3e9],
      throttling: { periods: 1, throttledPeriods: 2, throttledTime: 3 },
    },
    memory: {
      usage: 1000,
      maxUsage: 2000,
      limit: totalmem(),
      failcnt: 3,
      stats: { cache: 10, total_inactive_file: 20 },
    },
    pids: { current: 7, limit: 0 },
    blkio: {
      bytes: [
        { op: 'Read', value: 11 },
        { op: 'Write', value: 12 },
        { op: 'Total', value: 23 },
      ],
      operations: [],
    },
  });
  expect(oomKills('/x/id', hierarchy)).toBe(4);
  expect(() => readStats('/x/gone', hierarchy)).toThrow(/no cgroup/);
  expect(cgroupInfo(hierarchy)).toMatchObject({ version: 1, pidsLimit: true, cpuSet: false });
});

test('counters of version 2', () => {
  fixture({
    'cgroup.controllers': 'cpuset cpu io memory pids',
    'x/memory.swap.max': 'max',
    'x/id/cpu.stat':
      'usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_periods 1\nnr_throttled 2\nthrottled_usec 3',
    'x/id/memory.current': '1000',
    'x/id/memory.max': '4096',
    'x/id/memory.stat': 'anon 10\ninactive_file 20',
    'x/id/memory.events': 'low 0\noom 2\noom_kill 1',
    'x/id/pids.current': '7',
    'x/id/pids.max': '100',
    'x/id/io.stat': '8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0',
  });
  const hierarchy = { version: 2 as const, hybrid: false, controllers: new Map<string, string>(), unified: directory };
  expect(readStats('/x/id', hierarchy)).toMatchObject({
    version: 2,
    cpu: { total: 5e6, user: 3e6, kernel: 2e6, throttling: { throttledTime: 3000 } },
    memory: { usage: 1000, limit: 4096, failcnt: 2, stats: { anon: 10 } },
    pids: { current: 7, limit: 100 },
    blkio: {
      bytes: [
        { major: 8, minor: 0, op: 'read', value: 1 },
        { op: 'write', value: 2 },
      ],
      operations: [
        { op: 'read', value: 3 },
        { op: 'write', value: 4 },
      ],
    },
  });
  expect(oomKills('/x/id', hierarchy)).toBe(1);
  expect(cgroupInfo(hierarchy)).toMatchObject({
    version: 2,
    memoryLimit: true,
    swapLimit: true,
    oomKillDisable: false,
  });
});

test('the CPU time of the host is that of seven kinds', () => {
  expect(systemCpuTime('cpu  1 2 3 4 5 6 7 1000 1000 1000\ncpu0 …')).toBe(28 * 1e7);
});

test('a real cgroup: its processes, its counters and its end', async () => {
  const path = cgroupPath('', `cleat-test-${process.pid}`);
  const directories = cgroupDirectories(path);
  const memory = directories.find((each) => each.includes('memory')) ?? directories[0] ?? '';
  for (const each of directories) mkdirSync(`${each}/inner`, { recursive: true });
  const child = spawn('sleep', ['60']);
  try {
    writeFileSync(`${memory}/cgroup.procs`, String(child.pid));
    expect(processesIn(path)).toEqual([child.pid]);
    expect(readStats(path).memory.limit).toBe(totalmem());
    expect(removeCgroup(path)).toBe(false);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
    await expect.poll(() => removeCgroup(path)).toBe(true);
  }
  expect(processesIn(path)).toEqual([]);
  expect(cgroupInfo().version).toBe(hostHierarchy().version);
  for (const each of directories) expect(existsSync(each)).toBe(false);
});
