import { type CgroupPlace, cgroupPlace } from '../../oci/cgroups.js';
import type { SandboxConfig } from './types.js';

/** The control group of a plugin. */
export const placeOf = (config: Pick<SandboxConfig, 'cgroupDriver' | 'cgroupParent'>, id: string): CgroupPlace =>
  cgroupPlace(config, '', id);
