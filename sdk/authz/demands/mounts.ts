import { posix } from 'node:path';
import type { HostConfig, Mount } from '@cleat/protocol/api/container';
import type { Demand } from '../demand.js';
import { object, setting } from './words.js';

/** All that is mounted into a container, in whichever member it is asked for. */
export function mountDemands(host: HostConfig): Demand[] {
  return [
    ...(host.Binds ?? []).flatMap(bindDemands),
    ...(host.Mounts ?? []).flatMap(oneMount),
    ...(host.VolumeDriver ? [setting('volume-drivers', host.VolumeDriver)] : []),
  ];
}

/** `Config.Volumes` is a set of places for volumes without a name; older engines read a bind in it. */
export function volumeKeys(volumes: Readonly<Record<string, unknown>> | null | undefined): Demand[] {
  return Object.keys(volumes ?? {}).flatMap((key) => (key.includes(':') ? bindDemands(key) : [nameless]));
}

const nameless = object('volume', '', 'use');

const propagations = new Set(['shared', 'slave', 'rshared', 'rslave']);

/** `[SOURCE:]DESTINATION[:MODE]` */
function bindDemands(text: string): Demand[] {
  const [source = '', destination, ...more] = text.split(':');
  if (destination === undefined) return [nameless];
  const options = more.join(':').split(',');
  return [
    isVolumeName(source) ? object('volume', source, 'use') : hostPath(source, options.includes('ro')),
    ...options.filter((option) => propagations.has(option)).map((option) => setting('propagation', option)),
  ];
}

const isVolumeName = (text: string): boolean => /^[A-Za-z0-9][\w.-]*$/.test(text);

function oneMount(mount: Mount): Demand[] {
  const { Type, Source = '', ReadOnly, BindOptions, VolumeOptions } = mount;
  const propagation = BindOptions?.Propagation ?? '';
  const propagated = propagations.has(propagation) ? [setting('propagation', propagation)] : [];
  switch (Type) {
    case 'bind':
      return [hostPath(Source, ReadOnly === true), ...propagated];
    case 'volume': {
      const { Name, Options } = VolumeOptions?.DriverConfig ?? {};
      return [
        { what: 'object', type: 'volume', name: Source, use: 'use', made: VolumeOptions?.Labels ?? {} },
        ...(Name ? [setting('volume-drivers', Name)] : []),
        ...optionDemands(Options),
        ...propagated,
      ];
    }
    case 'image':
      return [object('image', Source, 'use')];
    case 'tmpfs':
      return Source === '' ? [] : [hostPath(Source, false)];
    default:
      return [setting('unknown', `a mount of type ${JSON.stringify(Type ?? '')}`)];
  }
}

/** Options of a volume's driver, by which `local` can bind a path of the host. */
export function optionDemands(options: Readonly<Record<string, string>> | null | undefined): Demand[] {
  const pairs = Object.entries(options ?? {});
  return pairs.map(([key, value]) => setting('volume-options', `${key}=${value}`));
}

/** A path in its one spelling, with `:ro` where nothing can be written to it. */
export function hostPath(source: string, isReadOnly: boolean): Demand {
  const path = posix.normalize(source).replace(/(.)\/+$/, '$1');
  return setting('host-paths', `${path}${isReadOnly ? ':ro' : ''}`);
}
