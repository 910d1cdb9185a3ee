import { cgroupPath } from '@cleat/linux/cgroup/hierarchy';
import type { ContainersConfig } from '../config.js';
import type { ContainerRecord } from './state/record.js';

/** Where containers go that nobody puts elsewhere; a dockerd beside us has `docker` to itself. */
const defaultParent = 'cleat';

/** The control group of a container, as `linux.cgroupsPath` names it and as statistics are read. */
export function cgroupOf(config: Pick<ContainersConfig, 'cgroupParent'>, record: ContainerRecord): string {
  return cgroupPath(record.hostConfig.CgroupParent || config.cgroupParent || defaultParent, record.id);
}
