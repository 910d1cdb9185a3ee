import { VolumeCreateRequest } from '@cleat/protocol/api/volume';
import { bodyOf, unknownMembers } from '../body.js';
import type { Demand } from '../demand.js';
import type { Seen } from '../seen.js';
import { optionDemands } from './mounts.js';
import { object, setting } from './words.js';

/** @throws Forbidden */
export function volumeDemands({ action, body, isNormalised }: Seen): Demand[] {
  if (action.name === 'volume:update') return [setting('unknown', 'a volume of a cluster')];
  if (action.name !== 'volume:create') return [];
  const { Name = '', Driver, DriverOpts, Labels, ClusterVolumeSpec } = bodyOf(VolumeCreateRequest, body, isNormalised);
  return [
    { what: 'create', type: 'volume', name: Name, labels: Labels ?? {} },
    // The answer is the volume of that name where there is one, with its options.
    ...(Name ? [object('volume', Name, 'look')] : []),
    ...(Driver ? [setting('volume-drivers', Driver)] : []),
    ...optionDemands(DriverOpts),
    ...(ClusterVolumeSpec ? [setting('unknown', 'ClusterVolumeSpec')] : []),
    ...unknownMembers(VolumeCreateRequest, body).map((path) => setting('unknown', path)),
  ];
}
