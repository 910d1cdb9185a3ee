import { existsSync, readdirSync } from 'node:fs';
import { type CgroupHierarchy, hostHierarchy, readCgroupFile } from './hierarchy.js';

/** Which limits the kernel can hold; the names are those of the Engine API's `/info`. */
export interface CgroupInfo {
  version: 1 | 2;
  hybrid: boolean;
  driver: 'cgroupfs';
  controllers: string[];
  memoryLimit: boolean;
  memoryReservation: boolean;
  memorySwappiness: boolean;
  swapLimit: boolean;
  oomKillDisable: boolean;
  cpuCfsPeriod: boolean;
  cpuCfsQuota: boolean;
  cpuShares: boolean;
  cpuSet: boolean;
  pidsLimit: boolean;
  blkioWeight: boolean;
  blkioThrottle: boolean;
}

/** The abilities of the host's control groups. */
export function cgroupInfo(hierarchy: CgroupHierarchy = hostHierarchy()): CgroupInfo {
  return hierarchy.version === 2 && hierarchy.unified ? unifiedInfo(hierarchy.unified) : controllerInfo(hierarchy);
}

function controllerInfo(hierarchy: CgroupHierarchy): CgroupInfo {
  const has = (controller: string, file: string) => {
    const mount = hierarchy.controllers.get(controller);
    return mount !== undefined && existsSync(`${mount}/${file}`);
  };
  return {
    version: 1,
    hybrid: hierarchy.hybrid,
    driver: 'cgroupfs',
    controllers: [...hierarchy.controllers.keys()],
    memoryLimit: has('memory', 'memory.limit_in_bytes'),
    memoryReservation: has('memory', 'memory.soft_limit_in_bytes'),
    memorySwappiness: has('memory', 'memory.swappiness'),
    swapLimit: has('memory', 'memory.memsw.limit_in_bytes'),
    oomKillDisable: has('memory', 'memory.oom_control'),
    cpuCfsPeriod: has('cpu', 'cpu.cfs_period_us'),
    cpuCfsQuota: has('cpu', 'cpu.cfs_quota_us'),
    cpuShares: has('cpu', 'cpu.shares'),
    cpuSet: has('cpuset', 'cpuset.cpus'),
    // The root cgroup has no pids.max.
    pidsLimit: hierarchy.controllers.has('pids'),
    blkioWeight: has('blkio', 'blkio.weight') || has('blkio', 'blkio.bfq.weight'),
    blkioThrottle: has('blkio', 'blkio.throttle.read_bps_device'),
  };
}

function unifiedInfo(root: string): CgroupInfo {
  const controllers = (readCgroupFile(`${root}/cgroup.controllers`) ?? '').split(' ').filter(Boolean);
  const has = (name: string) => controllers.includes(name);
  // Limits are files of every cgroup but the root.
  const child = readdirSync(root, { withFileTypes: true }).find((entry) => entry.isDirectory())?.name;
  const hasFile = (file: string) => child !== undefined && existsSync(`${root}/${child}/${file}`);
  return {
    version: 2,
    hybrid: false,
    driver: 'cgroupfs',
    controllers,
    memoryLimit: has('memory'),
    memoryReservation: has('memory'),
    memorySwappiness: false,
    swapLimit: has('memory') && hasFile('memory.swap.max'),
    oomKillDisable: false,
    cpuCfsPeriod: has('cpu'),
    cpuCfsQuota: has('cpu'),
    cpuShares: has('cpu'),
    cpuSet: has('cpuset'),
    pidsLimit: has('pids'),
    blkioWeight: has('io') && (hasFile('io.weight') || hasFile('io.bfq.weight')),
    blkioThrottle: has('io'),
  };
}
