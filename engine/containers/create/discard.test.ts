import type { CgroupInfo } from '@cleat/linux/cgroup/info';
import { expect, test } from 'vitest';
import { discardUnsupported } from './discard.js';

const able: CgroupInfo = {
  version: 1,
  hybrid: false,
  driver: 'cgroupfs',
  controllers: [],
  memoryLimit: true,
  memoryReservation: true,
  memorySwappiness: true,
  swapLimit: true,
  oomKillDisable: true,
  cpuCfsPeriod: true,
  cpuCfsQuota: true,
  cpuShares: true,
  cpuSet: true,
  pidsLimit: true,
  blkioWeight: true,
  blkioThrottle: true,
};

test('limits that the kernel can hold stay', () => {
  const limits = {
    Memory: 1e8,
    MemorySwap: 2e8,
    MemorySwappiness: 5,
    OomKillDisable: true,
    PidsLimit: 5,
    BlkioWeight: 9,
  };
  expect(discardUnsupported({ ...limits }, able)).toEqual([]);
});

test('limits that it cannot hold are left out with a warning', () => {
  const limits = {
    MemorySwappiness: 5,
    OomKillDisable: true,
    BlkioWeight: 100,
    BlkioDeviceReadBps: [{ Path: '/dev/sda', Rate: 1 }],
    KernelMemory: 5,
    CpuCount: 2,
    CpuShares: 2,
  };
  const unable = { ...able, memorySwappiness: false, oomKillDisable: false, blkioWeight: false, blkioThrottle: false };
  expect(discardUnsupported(limits, unable)).toEqual([
    'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
    'Your kernel does not support OomKillDisable. OomKillDisable discarded.',
    'Your kernel does not support kernel memory limit capabilities or the cgroup is not mounted. Limitation discarded.',
    'linux does not support CPU count. Count discarded.',
    'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.',
    'Your kernel does not support BPS Block I/O read limit or the cgroup is not mounted. Block I/O BPS read limit discarded.',
  ]);
  expect(limits).toEqual({ CpuShares: 2 });
});

test('nothing that is not set is warned about', () => {
  const none = { ...able, memoryLimit: false, swapLimit: false, pidsLimit: false, cpuShares: false, cpuSet: false };
  const limits = {
    Memory: 0,
    PidsLimit: null,
    CpuShares: 0,
    CpusetCpus: '',
    BlkioWeightDevice: [],
    OomKillDisable: false,
  };
  expect(discardUnsupported(limits, none)).toEqual([]);
  expect(() => discardUnsupported({ NanoCpus: 1e9 }, { ...able, cpuCfsQuota: false })).toThrow(
    'NanoCPUs can not be set',
  );
});
