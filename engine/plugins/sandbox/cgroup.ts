import { cgroupPath } from '@cleat/linux/cgroup/hierarchy';
import type { SandboxConfig } from './types.js';

/** Where containers are that nobody puts elsewhere. */
const defaultParent = 'cleat';

/** The control group of a plugin, as `linux.cgroupsPath` names it. */
export const cgroupOf = ({ cgroupParent }: Pick<SandboxConfig, 'cgroupParent'>, id: string): string =>
  cgroupPath(cgroupParent || defaultParent, id);
