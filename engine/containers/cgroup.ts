import { type CgroupConfig, type CgroupPlace, cgroupPlace } from '../oci/cgroups.js';
import type { ContainerRecord } from './state/record.js';

export const placeOf = (config: CgroupConfig, { id, hostConfig }: ContainerRecord): CgroupPlace =>
  cgroupPlace(config, hostConfig.CgroupParent ?? '', id);

/** The control group of a container, below each mounted hierarchy. */
export const cgroupOf = (config: CgroupConfig, record: ContainerRecord): string => placeOf(config, record).path;
